/** The entry point of the page. */
import { mount } from "svelte";
import App from "./App.svelte";
import "virtual:inter.css";
import "./app.css";
import { recoverFocus } from "./ui/focus_recovery";

const target = document.getElementById("app");
if (target) mount(App, { target });
recoverFocus();
