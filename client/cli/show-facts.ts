import { oneLine } from './one-line.ts';

/** Facts as a person reads them, one in a line and none cut short; absent ones are left out. */
export function showFacts(facts: Readonly<Record<string, string | number | undefined>>): string {
  const known = Object.entries(facts).filter(([, value]) => value !== undefined);
  const width = Math.max(...known.map(([name]) => name.length));
  return known.map(([name, value]) => `${name.padEnd(width)}  ${oneLine(String(value))}`).join('\n');
}
