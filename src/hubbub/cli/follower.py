"""`hubbub follower`: the durable consumers of topics, such as the search index."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from hubbub.cli.group import Group
from hubbub.cli.options import Config, Data
from hubbub.cli.request import ask

app = typer.Typer(help="Followers: list, pause, resume, replay, dead letters.", cls=Group)
dead = typer.Typer(help="Entries that a follower could not handle.", cls=Group)
app.add_typer(dead, name="dead")

Name = Annotated[str, typer.Argument(help="The follower's name.", show_default=False)]
Topic = Annotated[str, typer.Argument(help="The entry's topic, e.g. room:7.", show_default=False)]
Seq = Annotated[int, typer.Argument(help="The entry's seq.", show_default=False)]


@app.command("list")
def list_followers(data: Data = None, config: Config = None) -> None:
    """List all followers: their state, what they have not handled yet, their last error."""
    from hubbub.control import ListFollowers

    columns = ("name", "state", "topics", "entries behind", "oldest", "dead letters", "next attempt", "last error")
    rows = []
    page: Any = {"more": True, "followers": [{"name": ""}]}
    while page["more"]:
        page = ask(ListFollowers(after=page["followers"][-1]["name"]), data, config)
        for each in page["followers"]:
            state = "failing" if each["state"] == "running" and each["failing_since"] else each["state"]
            counts = (str(each["topic_count"]), str(each["entry_count"]), _time(each["oldest_at"]))
            failure = (str(each["dead_letter_count"]), _time(each["next_attempt_at"]), each["last_error"] or "")
            rows.append((each["name"], state, *counts, *failure))
    _print(columns, rows)


@app.command("pause")
def pause_follower(name: Name, data: Data = None, config: Config = None) -> None:
    """Pause a follower. It keeps its positions."""
    _set_paused(name, True, data, config)
    typer.echo(f"Paused {name}.")


@app.command("resume")
def resume_follower(name: Name, data: Data = None, config: Config = None) -> None:
    """Resume a paused follower, or try a failing one again at once."""
    _set_paused(name, False, data, config)
    typer.echo(f"Resumed {name}.")


def _set_paused(name: str, paused: bool, data: Data, config: Config) -> None:
    from hubbub.control import SetFollowerPaused

    ask(SetFollowerPaused(follower=name, paused=paused), data, config)


@app.command("replay")
def replay_follower(
    name: Name,
    topic: Annotated[str | None, typer.Option(help="Only this topic, e.g. room:7 (default: all topics).")] = None,
    since: Annotated[int, typer.Option(min=0, help="The seq to go back to; 0 for the beginning.")] = 0,
    data: Data = None,
    config: Config = None,
) -> None:
    """Let a follower handle again what comes after a position."""
    from hubbub.control import Replay

    ask(Replay(follower=name, topic=topic, seq=since), data, config)
    typer.echo(f"{name} goes back to {since} in {topic or 'all topics'}.")


@dead.command("list")
def list_dead_letters(name: Name, data: Data = None, config: Config = None) -> None:
    """List the entries that a follower could not handle."""
    from hubbub.control import ListDeadLetters

    rows = []
    after, more = "", True
    while more:
        page: Any = ask(ListDeadLetters(follower=name, after=after), data, config)
        for each in page["dead_letters"]:
            after = f"{each['topic']},{each['seq']}"
            state = "waits for a retry" if each["retry"] else ""
            row = (each["topic"], str(each["seq"]), _time(each["at"]), str(each["attempts"]), each["reason"], state)
            rows.append(row)
        more = page["more"]
    _print(("topic", "seq", "since", "attempts", "reason", "state"), rows)


@dead.command("retry")
def retry_dead_letter(name: Name, topic: Topic, seq: Seq, data: Data = None, config: Config = None) -> None:
    """Let a follower handle an entry again."""
    from hubbub.control import SettleLetter

    ask(SettleLetter(follower=name, topic=topic, seq=seq, drop=False), data, config)
    typer.echo(f"{name} will handle {topic} {seq} again.")


@dead.command("drop")
def drop_dead_letter(name: Name, topic: Topic, seq: Seq, data: Data = None, config: Config = None) -> None:
    """Remove an entry from the list. It is never handled."""
    from hubbub.control import SettleLetter

    ask(SettleLetter(follower=name, topic=topic, seq=seq, drop=True), data, config)
    typer.echo(f"Dropped {topic} {seq}.")


def _time(stamp: str | None) -> str:
    return stamp[:19].replace("T", " ") if stamp else ""


def _print(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns)
    for row in rows:
        table.add_row(*row)
    Console(soft_wrap=True, markup=False, highlight=False).print(table)
