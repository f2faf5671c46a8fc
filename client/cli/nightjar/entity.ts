/** Nightjar's two lines of versions, each of which is a bundle here, named after it unless told. */
export type Activity = 'template-creation' | 'proxy-configuration';

export type Field = 'namespace' | 'protection' | 'service_id' | 'service' | 'color';

/** The kinds of entities: what holds them, where their paths begin, and what tells them apart, in the order of the path. */
const KINDS = {
  namespace: { activity: 'template-creation', root: 'gateway', fields: ['namespace', 'protection'] },
  service: { activity: 'template-creation', root: 'service', fields: ['namespace', 'service', 'color'] },
  gateway: { activity: 'proxy-configuration', root: 'gateway', fields: ['namespace', 'protection'] },
  service_id: {
    activity: 'proxy-configuration',
    root: 'service',
    fields: ['namespace', 'service_id', 'service', 'color'],
  },
} as const satisfies Readonly<
  Record<string, { readonly activity: Activity; readonly root: string; readonly fields: readonly Field[] }>
>;

export type Kind = keyof typeof KINDS;

/** Whom files are for. A field that is null stands for every one that nothing is said about; only templates have such. */
export interface Subject {
  readonly kind: Kind;
  readonly fields: Readonly<Partial<Record<Field, string | null>>>;
}

/** Nightjar's entity: a file, by whom it is for and its purpose, which is its name. */
export interface Entity {
  readonly subject: Subject;
  readonly purpose: string;
}

/** What is asked for; whatever it leaves out may be anything. The words that paths have for null ask for null. */
export type EntityFilter = Readonly<Partial<Record<Field | 'purpose', string | undefined>>>;

const NULL_NAME = '__default__';
const NULL_PROTECTION = 'default';
const PROTECTIONS: readonly string[] = ['public', 'private'];
const NAME_BYTES = 255;

function activityOf(kind: Kind): Activity {
  return KINDS[kind].activity;
}

export function fieldsOf(kind: Kind): readonly Field[] {
  return KINDS[kind].fields;
}

/**
 * A subject as its kind may have it. A name that is empty or the word for null counts as null, as in Nightjar.
 *
 * @throws Error that says what is wrong with which field.
 */
export function createSubject(kind: Kind, given: Readonly<Partial<Record<Field, string | null>>>): Subject {
  const mayBeNull = activityOf(kind) === 'template-creation';
  const fields: Partial<Record<Field, string | null>> = {};
  for (const field of fieldsOf(kind)) {
    const word = wordForNull(field);
    const value = (given[field] ?? '').normalize('NFC');
    const isNull = value === '' || (value === word && (mayBeNull || field === 'protection'));
    if (isNull && !mayBeNull) throw new Error(`"${field}" is missing.`);
    if (!isNull) checkValue(field, value);
    fields[field] = isNull ? null : value;
  }
  return { kind, fields };
}

function checkValue(field: Field, value: string): void {
  if (field === 'protection') {
    if (PROTECTIONS.includes(value)) return;
    throw new Error(`"protection" is ${PROTECTIONS.join(', ')} or ${NULL_PROTECTION}, not "${value}".`);
  }
  if (!isSegment(value)) throw new Error(`"${field}" cannot be part of a path: ${JSON.stringify(value)}.`);
}

function isSegment(value: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a path of a bundle must not hold
  if (/[/\\\u0000-\u001f\u007f-\u009f]/.test(value) || !value.isWellFormed()) return false;
  return value !== '.' && value !== '..' && Buffer.byteLength(value) <= NAME_BYTES;
}

/** Where an entity stands in its bundle: as in the wide form of Nightjar's stores, below the version. */
export function pathOf({ subject, purpose }: Entity): string {
  return `${folderOf(subject)}/${purpose}`;
}

/** The path of all files of a subject, without a slash at the end. */
export function folderOf({ kind, fields }: Subject): string {
  return [KINDS[kind].root, ...fieldsOf(kind).map((field) => fields[field] ?? wordForNull(field))].join('/');
}

/** @returns undefined for what is no entity: a path of another length, or a protection that there is not. */
export function entityAt(activity: Activity, path: string): Entity | undefined {
  const [root, ...parts] = path.split('/');
  const purpose = parts.pop();
  const kind = Object.keys(KINDS)
    .map((name) => name as Kind)
    .find((each) => activityOf(each) === activity && KINDS[each].root === root);
  if (kind === undefined || purpose === undefined || parts.length !== fieldsOf(kind).length) return undefined;
  try {
    const given = Object.fromEntries(fieldsOf(kind).map((field, index) => [field, parts[index] ?? '']));
    return { subject: createSubject(kind, given), purpose };
  } catch {
    return undefined;
  }
}

export function isWanted({ subject, purpose }: Entity, filter: EntityFilter): boolean {
  const { purpose: wantedPurpose = purpose, ...wantedFields } = filter;
  return (
    wantedPurpose === purpose &&
    Object.entries(wantedFields).every(
      ([name, value]) =>
        value === undefined || value === (subject.fields[name as Field] ?? wordForNull(name as Field)),
    )
  );
}

function wordForNull(field: Field): string {
  return field === 'protection' ? NULL_PROTECTION : NULL_NAME;
}
