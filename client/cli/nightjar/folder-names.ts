import { createHash } from 'node:crypto';
import { fieldsOf, folderOf, type Subject } from './entity.ts';

/** Characters; leaves room for the suffix in what file systems take. */
const LONGEST = 200;

/**
 * A folder for each subject, named as Nightjar's manager does (`service-shop-web-blue`, `default` for null). Where that name would be shared with
 * another subject, on any file system, or is none that every file system takes, a digest of the subject tells it apart.
 *
 * @returns names by `folderOf` of their subjects.
 */
export function folderNames(subjects: readonly Subject[]): ReadonlyMap<string, string> {
  const plain = subjects.map((subject) => ({ folder: folderOf(subject), name: plainName(subject) }));
  const takers = Map.groupBy(plain, ({ name }) => name.toLowerCase());
  return new Map(
    plain.map(({ folder, name }) => {
      const isClear = isSafe(name) && takers.get(name.toLowerCase())?.length === 1;
      return [folder, isClear ? name : `${cleaned(name)}~${digestOf(folder)}`];
    }),
  );
}

function plainName({ kind, fields }: Subject): string {
  return [kind, ...fieldsOf(kind).map((field) => fields[field] ?? 'default')].join('-');
}

/** No `~`: a name with a digest is never somebody's plain name. */
function isSafe(name: string): boolean {
  return /^[0-9A-Za-z._-]*[0-9A-Za-z_-]$/.test(name) && name.length <= LONGEST;
}

function cleaned(name: string): string {
  return name.replace(/[^0-9A-Za-z._-]/g, '_').slice(0, LONGEST);
}

function digestOf(folder: string): string {
  return createHash('sha256').update(folder).digest('hex').slice(0, 12);
}
