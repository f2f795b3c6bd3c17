// Everything a page can try against another origin where its visitor is logged in. Returns the outcome of each attempt.
async ({ http, room, name, kinds, password, forms }) => {
    const tried = {};
    const listen = (path, protocols) =>
        new Promise((resolve) => {
            const socket = new WebSocket(http.replace("http", "ws") + path, protocols);
            socket.onopen = () => socket.send('{"type":"hello"}');
            socket.onmessage = (event) => {
                resolve(String(event.data));
                socket.close();
            };
            socket.onclose = (event) => resolve("closed with " + event.code);
        });
    tried["socket"] = await listen("/ws", ["hubbub.v1"]);
    tried["plain text"] = await listen(`/ws/${name}?room=${room}`, []);

    const posts = {
        [`/api/rooms/${room}/messages`]: (what) =>
            JSON.stringify({ key: what.replace(/[^a-z]/g, "").slice(0, 60), body: "STOLEN " + what }),
        "/api/rooms": (what) => JSON.stringify({ kind: "public", name: what.slice(-60) }),
        "/api/login": () => JSON.stringify({ username: "mallory", password }),
        "/api/logout": () => "",
    };
    for (const mode of ["cors", "no-cors"])
        for (const kind of [...kinds, "application/json"])
            for (const [path, body] of Object.entries(posts)) {
                const what = `${mode} ${kind} ${path}`;
                const headers = kind ? { "Content-Type": kind } : {};
                const sent = kind ? body(what) : new Blob([body(what)]);
                const request = { method: "POST", mode, credentials: "include", headers, body: sent };
                if (path !== "/api/logout" || forms)
                    tried[what] = await fetch(http + path, request).then(
                        (answer) => String(answer.status),
                        () => "failed",
                    );
            }

    for (const enctype of forms ? ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] : [])
        for (const [path, body] of Object.entries(posts)) {
            const text = body(`form ${enctype} ${path}`);
            const frame = Object.assign(document.createElement("iframe"), { name: "f" + Math.random() });
            const about = { method: "post", action: http + path, enctype, target: frame.name };
            const form = Object.assign(document.createElement("form"), about);
            // `name=value` of a text/plain form is JSON when the equals sign is put into a string.
            const field = { name: text.slice(0, -1) + ',"x":"', value: '"}' };
            form.append(Object.assign(document.createElement("input"), field));
            document.body.append(frame, form);
            const loaded = new Promise((resolve) => {
                frame.onload = resolve;
                setTimeout(resolve, 3000);
            });
            form.submit();
            await loaded;
        }

    for (const path of ["/api/logout", `/api/rooms/${room}/leave`]) {
        const image = new Image();
        const over = new Promise((resolve) => (image.onload = image.onerror = resolve));
        image.src = http + path;
        await over;
        navigator.sendBeacon(http + path, "");
    }
    tried["reading"] = await fetch(http + "/users/me", { credentials: "include" }).then(
        (answer) => answer.text(),
        () => "failed",
    );
    return tried;
};
