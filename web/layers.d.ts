export const FEATURES: readonly string[];
export const LAYERS: Readonly<Record<string, readonly string[]>>;
export function troubles(listed: readonly string[], there: readonly string[]): string[];
