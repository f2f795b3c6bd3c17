import type { Plugin } from "vite";

export declare function fonts(): Plugin;
