import { SqlSyntaxError, type Token } from './sql-syntax.ts';

/** Microsoft, "Subscription rule SQL filter syntax". */
const PATTERN =
  /(?<space>\s+)|(?<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?<word>\p{L}[\p{L}\p{Nd}_]*)|(?<parameter>@[\p{L}\p{Nd}_]+)|(?<string>'(?:[^']|'')*')|(?<name>\[(?:[^\]]|\]\])+\]|"(?:[^"]|"")+")|(?<symbol><=|>=|<>|!=|[=<>()+\-*/%,.])/uy;

const KINDS = ['number', 'word', 'parameter', 'string', 'name', 'symbol'] as const;

/** @throws SqlSyntaxError */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let start = 0;
  while (start < text.length) {
    PATTERN.lastIndex = start;
    const match = PATTERN.exec(text);
    if (match === null) throw new SqlSyntaxError({ start }, describeUnreadable(text.charAt(start)));
    const [written] = match;
    const kind = KINDS.find((name) => match.groups?.[name] !== undefined);
    const isQuoted = kind === 'string' || kind === 'name';
    if (kind !== undefined) tokens.push({ kind, text: isQuoted ? unquote(written) : written, start });
    start += written.length;
  }
  tokens.push({ kind: 'end', text: '', start });
  return tokens;
}

function describeUnreadable(character: string): string {
  if (character === "'") return 'the string is not closed.';
  if (character === '[' || character === '"') return 'the delimited identifier is empty or not closed.';
  return `unrecognized character '${character}'.`;
}

function unquote(quoted: string): string {
  const closing = quoted.slice(-1);
  return quoted.slice(1, -1).replaceAll(closing + closing, closing);
}
