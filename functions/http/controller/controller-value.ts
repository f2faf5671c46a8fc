/** What the controller answers, in the words of its source: JSON has its JSON names, XML the names of its types and fields. */
export interface ControllerValue {
  /** The root of the XML. */
  readonly type: string;
  readonly members: readonly ControllerMember[];
}

/** Its JSON name, its XML name, and what it holds; null is left out of the XML. */
export type ControllerMember = readonly [
  jsonName: string,
  xmlName: string,
  value: string | null | readonly ControllerValue[],
];

/** A message, or what is asked for, or several of it. */
export type ControllerBody = string | ControllerValue | readonly ControllerValue[];

const XML_HEADER = '<?xml version="1.0" encoding="UTF-8"?>\n';

export function toJson(body: ControllerBody): unknown {
  if (typeof body === 'string') return body;
  if (isMany(body)) return body.map(toJson);
  return Object.fromEntries(
    body.members.map(([name, , value]) => [
      name,
      value === null || typeof value === 'string' ? value : toJson(value),
    ]),
  );
}

/** Where there are several they stand below `manyName`: the original writes them one after the other, which is no document. */
export function toXml(body: ControllerBody, manyName: string): string {
  return XML_HEADER + writeBody(body, manyName);
}

function writeBody(body: ControllerBody, manyName: string): string {
  if (typeof body === 'string') return element('string', escapeText(body));
  if (isMany(body)) return element(manyName, body.map((one) => writeBody(one, manyName)).join(''));
  return element(body.type, writeMembers(body));
}

function writeMembers({ members }: ControllerValue): string {
  return members
    .map(([, name, value]) => {
      if (value === null) return '';
      return typeof value === 'string'
        ? element(name, escapeText(value))
        : value.map((one) => element(name, writeMembers(one))).join('');
    })
    .join('');
}

function element(name: string, content: string): string {
  return `<${name}>${content}</${name}>`;
}

function isMany(body: ControllerBody): body is readonly ControllerValue[] {
  return Array.isArray(body);
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&#34;',
  "'": '&#39;',
  '\t': '&#x9;',
  '\n': '&#xA;',
  '\r': '&#xD;',
};

/** What XML cannot hold at all becomes a replacement character. */
const UNWRITABLE = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu;

function escapeText(text: string): string {
  return text
    .replace(UNWRITABLE, '\uFFFD')
    .replace(/[&<>"'\t\n\r]/g, (character) => ESCAPES[character] ?? character);
}
