import type { HeaderReader } from './request.ts';

interface AcceptedRange {
  readonly type: string;
  readonly subtype: string;
  /** 0 to 1; 0 refuses. */
  readonly quality: number;
}

const MEDIA_RANGE = /^([\w!#$&^.+*-]+)\/([\w!#$&^.+*-]+)$/;
const QUALITY = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/;

/**
 * Which of some media types a request likes best (RFC 9110, section 12.5.1): the first of those that it likes equally. Undefined where
 * it accepts none of them.
 */
export function preferredType<Type extends string>(
  headers: HeaderReader,
  offered: readonly Type[],
): Type | undefined {
  const header = headers.get('accept')?.trim() ?? '';
  const ranges =
    header === '' ? [{ type: '*', subtype: '*', quality: 1 }] : header.split(',').flatMap(readRange);
  const rated = offered.map((type) => ({ type, quality: qualityOf(type, ranges) }));
  const best = Math.max(...rated.map(({ quality }) => quality));
  return best > 0 ? rated.find(({ quality }) => quality === best)?.type : undefined;
}

function readRange(text: string): AcceptedRange[] {
  const [range = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const [, type, subtype] = MEDIA_RANGE.exec(range) ?? [];
  if (type === undefined || subtype === undefined) return [];
  const quality = parameters
    .map((parameter) => QUALITY.exec(parameter)?.[1])
    .find((one) => one !== undefined);
  return [{ type, subtype, quality: Number(quality ?? 1) }];
}

/** That of the range which names the type most exactly. */
function qualityOf(mediaType: string, ranges: readonly AcceptedRange[]): number {
  const [type, subtype] = mediaType.split('/');
  const of = (wantedType: string | undefined, wantedSubtype: string | undefined) =>
    ranges.find((range) => range.type === wantedType && range.subtype === wantedSubtype)?.quality;
  return of(type, subtype) ?? of(type, '*') ?? of('*', '*') ?? 0;
}
