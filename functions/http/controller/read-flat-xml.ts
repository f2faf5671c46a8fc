import { invalid, type SkerryError } from '../../../shared/platform/errors.ts';

/** A root element with elements of text in it, in their order. */
export interface FlatXml {
  readonly root: string;
  readonly members: readonly (readonly [name: string, text: string])[];
}

// Nothing comes behind what may repeat, so that no text makes them look at a part of it again and again.
const DECLARATION = /\uFEFF?(?:<\?xml[^>]*\?>)?/y;
const SPACE = /(?:\s|<!--[\s\S]*?-->)*/y;
const OPEN = /<([A-Za-z_][\w.-]{0,99})\s*(\/?)>/y;
const CLOSE = /<\/([A-Za-z_][\w.-]{0,99})\s*>/y;
const TEXT = /[^<]*/y;
const REFERENCE = /&(?:#x([0-9A-Fa-f]{1,6})|#(\d{1,7})|(\w{1,9}));|&/g;
const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
]);
/** What XML can hold (XML 1.0, section 2.2). */
const CHARACTER = /^[\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]$/u;

/**
 * Reads XML that is no more than a list of named texts: without attributes, document types and elements in elements, so that nothing in it
 * can ask for anything.
 *
 * @throws SkerryError `invalid`, with the place.
 */
export function readFlatXml(bytes: Uint8Array): FlatXml {
  const text = new TextDecoder().decode(bytes);
  let position = 0;
  const take = (expression: RegExp): RegExpExecArray | undefined => {
    expression.lastIndex = position;
    const found = expression.exec(text) ?? undefined;
    position += found?.[0].length ?? 0;
    return found;
  };
  const must = (expression: RegExp, isRight: (name: string) => boolean = () => true): RegExpExecArray => {
    const start = position;
    const found = take(expression);
    if (found === undefined || !isRight(found[1] ?? '')) throw malformed(start);
    return found;
  };

  take(DECLARATION);
  take(SPACE);
  const [, root = '', isEmpty] = must(OPEN);
  const members: [string, string][] = [];
  take(SPACE);
  while (isEmpty === '' && !text.startsWith('</', position)) {
    const [, name = '', isBare] = must(OPEN);
    const start = position;
    const value = isBare === '' ? (take(TEXT)?.[0] ?? '') : '';
    if (isBare === '') must(CLOSE, (closed) => closed === name);
    members.push([name, readText(value, start)]);
    take(SPACE);
  }
  if (isEmpty === '') must(CLOSE, (closed) => closed === root);
  take(SPACE);
  if (position < text.length) throw malformed(position);
  return { root, members };
}

function readText(text: string, position: number): string {
  return text.replace(REFERENCE, (_, hex?: string, decimal?: string, name?: string) => {
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    const character = code <= 0x10_ff_ff ? String.fromCodePoint(code) : '';
    const meant = name === undefined ? character : ENTITIES.get(name);
    if (meant === undefined || !CHARACTER.test(meant)) throw malformed(position);
    return meant;
  });
}

function malformed(position: number): SkerryError {
  return invalid(`The body is no XML of one element with texts in it (at position ${position}).`, {
    fix: 'Correct it there; attributes, document types and nested elements are not taken.',
  });
}
