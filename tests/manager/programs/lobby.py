"""A game lobby: two players for each game, and close codes that say why a game is over."""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from hubbub import ConnectionManager
from tests.manager.programs.stage import Stage

FULL, OVER, OPPONENT_LEFT = 4003, 4000, 4001


class Lobby:
    def __init__(self) -> None:
        self.games: dict[str, dict[str, WebSocket]] = {}

    async def connect(self, websocket: WebSocket, game: str, player: str) -> bool:
        await websocket.accept()
        players = self.games.setdefault(game, {})
        if len(players) == 2:
            await websocket.close(FULL, "This game has two players.")
            return False
        players[player] = websocket
        return True

    async def broadcast(self, game: str, message: str) -> None:
        for websocket in list(self.games.get(game, {}).values()):
            await websocket.send_text(message)

    async def end(self, game: str, code: int, reason: str) -> None:
        for websocket in self.games.pop(game, {}).values():
            await websocket.close(code, reason)

    def disconnect(self, game: str, player: str) -> None:
        if game in self.games:
            self.games[game].pop(player, None)


def before() -> FastAPI:
    app = FastAPI()
    lobby = Lobby()

    @app.websocket("/games/{game}/{player}")
    async def play_game(websocket: WebSocket, game: str, player: str) -> None:
        if not await lobby.connect(websocket, game, player):
            return
        await lobby.broadcast(game, f"{player} plays")
        try:
            while True:
                move = await websocket.receive_text()
                await lobby.broadcast(game, f"{player}: {move}")
                if move == "checkmate":
                    await lobby.end(game, OVER, f"{player} won")
                    return
        except WebSocketDisconnect as end:
            lobby.disconnect(game, player)
            if end.code not in (OVER, OPPONENT_LEFT):
                await lobby.end(game, OPPONENT_LEFT, f"{player} left")

    @app.get("/games")
    async def games() -> dict[str, list[str]]:
        return {game: list(players) for game, players in lobby.games.items()}

    return app


def after() -> FastAPI:
    app = FastAPI()
    manager = ConnectionManager()

    @app.websocket("/games/{game}/{player}")
    async def play_game(websocket: WebSocket, game: str, player: str) -> None:
        if len(manager.connections(topic=game)) == 2:
            await websocket.accept()
            await websocket.close(FULL, "This game has two players.")
            return
        await manager.connect(websocket, user=player)
        manager.join(websocket, game)
        await manager.broadcast(f"{player} plays", topic=game)
        try:
            while True:
                move = await websocket.receive_text()
                await manager.broadcast(f"{player}: {move}", topic=game)
                if move == "checkmate":
                    await manager.close_topic(game, OVER, f"{player} won")
        except WebSocketDisconnect as end:
            manager.disconnect(websocket)
            if end.code not in (OVER, OPPONENT_LEFT):
                await manager.close_topic(game, OPPONENT_LEFT, f"{player} left")

    @app.get("/games")
    async def games() -> dict[str, list[str]]:
        return {str(game): list(map(str, manager.users(topic=game))) for game in manager.topics()}

    return app


async def play(stage: Stage) -> list[object]:
    ann = await stage.enter("/games/chess/ann")
    heard: list[object] = [await ann.hears()]
    bob = await stage.enter("/games/chess/bob")
    heard += [await ann.hears(), await bob.hears(), await stage.get("/games")]
    eve = await stage.enter("/games/chess/eve")
    heard.append(await eve.end())
    await ann.says("e4")
    heard += [await ann.hears(), await bob.hears()]
    await bob.says("checkmate")
    heard += [await ann.end(), await bob.end()]
    await stage.until("/games", {})
    ann, bob = await stage.enter("/games/go/ann"), await stage.enter("/games/go/bob")
    heard.append(await bob.hears())
    await ann.leaves()
    heard.append(await bob.end())
    return heard


EXPECTED: list[object] = [
    ["ann plays"],
    *(["bob plays"], ["bob plays"], {"chess": ["ann", "bob"]}),
    ([], FULL),
    *(["ann: e4"], ["ann: e4"]),
    *((["bob: checkmate"], OVER), (["bob: checkmate"], OVER)),
    *(["bob plays"], ([], OPPONENT_LEFT)),
]
