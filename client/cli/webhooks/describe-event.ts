import { readValue } from '../../store/content.ts';
import { oneLine } from '../one-line.ts';
import { contentAsLine } from '../show-content.ts';

/** An event of any format as a person reads it, in one line; what is none is shown as it is. */
export function describeEvent(event: unknown): string {
  if (!isObject(event) || !isObject(event.data)) {
    return oneLine(typeof event === 'string' ? event : JSON.stringify(event));
  }
  const { type, data } = event;
  const { key, revision, before, after } = data;
  const change = revision === undefined ? '' : ` @${revision}  ${showSide(before)} -> ${showSide(after)}`;
  return oneLine(`${type}  ${key}${change}`);
}

function showSide(value: unknown): string {
  return contentAsLine(value === null || value === undefined ? null : readValue(value));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
