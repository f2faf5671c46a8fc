import { queryError } from './query-error.ts';
import type { Token } from './syntax.ts';

const PATTERN =
  /(?<space>\s+|--[^\n]*)|(?<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?<word>[A-Za-z_][A-Za-z0-9_]*)|(?<parameter>@[A-Za-z_][A-Za-z0-9_]*)|(?<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?<symbol><=|>=|!=|<>|\|\||\?\?|[=<>()[\]{},.*+\-/%?:&|^~])/y;

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' };
const KINDS = ['number', 'word', 'parameter', 'string', 'symbol'] as const;

export function tokenize(query: string): Token[] {
  const tokens: Token[] = [];
  let position = 0;
  while (position < query.length) {
    PATTERN.lastIndex = position;
    const match = PATTERN.exec(query);
    if (match === null) {
      const at = { start: position, end: position + 1 };
      throw queryError(at, 'SC1010', `Syntax error, invalid token '${query.charAt(position)}'.`);
    }
    const [text] = match;
    const kind = KINDS.find((name) => match.groups?.[name] !== undefined);
    const end = position + text.length;
    if (kind !== undefined) {
      tokens.push({ kind, text: kind === 'string' ? unquote(text) : text, start: position, end });
    }
    position = end;
  }
  return tokens;
}

function unquote(quoted: string): string {
  return quoted
    .slice(1, -1)
    .replace(/\\(?:u([0-9a-fA-F]{4})|(.))/gs, (_, hex: string | undefined, character: string) =>
      hex === undefined ? (ESCAPES[character] ?? character) : String.fromCharCode(Number.parseInt(hex, 16)),
    );
}
