"""All that a browser stores of a chat: databases and storage as one text."""

from tests.browser.person import Person

KEPT = """async () => {
    const answer = (asked) => new Promise((done, failed) => {
        asked.onsuccess = () => done(asked.result);
        asked.onerror = () => failed(asked.error);
    });
    const found = [{ ...localStorage }, { ...sessionStorage }];
    for (const { name } of await indexedDB.databases()) {
        const database = await answer(indexedDB.open(name));
        for (const store of database.objectStoreNames) {
            found.push(await answer(database.transaction(store).objectStore(store).getAll()));
        }
        database.close();
    }
    return JSON.stringify(found);
}"""


def stored_text(person: Person) -> str:
    return str(person.page.evaluate(KEPT))
