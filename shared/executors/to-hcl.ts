import type { Json } from '../records/index.ts';

/** What JSON allows inside texts, and HCL takes for a template (`${`, `%{`) or does not know (`\b`, `\f`). */
const FOREIGN = /\\.|[$%]\{/g;

const IN_HCL = new Map([
  ['${', '\\u0024{'],
  ['%{', '\\u0025{'],
  ['\\b', '\\u0008'],
  ['\\f', '\\u000c'],
]);

/** A JSON value as a literal of HCL, as variables of runs have to be (HCL Native Syntax, "Literal Values" and "Templates"). */
export function toHcl(value: Json): string {
  return JSON.stringify(value).replace(FOREIGN, (found) => IN_HCL.get(found) ?? found);
}
