export function shape(): string;
