/** Where the page begins. */
import { mount } from "svelte";
import App from "./App.svelte";
import "virtual:inter.css";
import "./app.css";
import { keepFocus } from "./ui/keeping";

const target = document.getElementById("app");
if (target) mount(App, { target });
keepFocus();
