/** The entry point of the page. */
import { mount } from "svelte";
import App from "./App.svelte";
import "virtual:inter.css";
import "./app.css";
import { recoverFocus } from "./ui/focus_recovery";

const target = document.getElementById("app");
const show = (screen: typeof App): void => void (target && mount(screen, { target }));
// The server adds the element to pages of one room, and for a host application with tokens or a
// log-in page.
if (document.querySelector("meta[name=hubbub-host]")) void import("./embed/hosted").then(({ prepare }) => prepare(App, show));
else show(App);
recoverFocus();
