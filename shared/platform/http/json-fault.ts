export interface JsonFault {
  /** Characters before the fault. */
  readonly position: number;
  /** Counted from 1, as editors do. */
  readonly line: number;
  readonly column: number;
}

const TOKEN = /\s*(?:"(?:[^"\\]|\\.)*"|[{}[\],:]|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/y;

/**
 * Where `JSON.parse` gave up. V8 says so for all faults but two: an unexpected end, and a token in place of a
 * value.
 */
export function locateJsonFault(text: string, error: unknown): JsonFault {
  const message = error instanceof Error ? error.message : '';
  const stated = /at position (\d+)/.exec(message)?.[1];
  if (stated !== undefined) {
    return at(text, Number(stated));
  }
  return at(text, message.startsWith('Unexpected end') ? text.length : unexpectedToken(text));
}

/** The first token that stands where a value must, or that is no token at all. */
function unexpectedToken(text: string): number {
  let previous = '';
  let position = 0;
  while (position < text.length) {
    TOKEN.lastIndex = position;
    const token = TOKEN.exec(text)?.[0];
    const start = position + (/^\s*/.exec(token ?? text.slice(position))?.[0].length ?? 0);
    if (token === undefined || isMisplaced(token.trim(), previous)) {
      return start;
    }
    previous = token.trim();
    position += token.length;
  }
  return text.length;
}

function isMisplaced(token: string, previous: string): boolean {
  const valueMustFollow = previous === '' || previous === ',' || previous === ':' || previous === '[';
  const endsEmptyArray = previous === '[' && token === ']';
  return valueMustFollow && !endsEmptyArray && /^[}\],:]$/.test(token);
}

function at(text: string, position: number): JsonFault {
  const before = text.slice(0, position);
  const line = before.split('\n').length;
  return { position, line, column: position - before.lastIndexOf('\n') };
}
