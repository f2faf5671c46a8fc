import { type Activity, createSubject, type Field, fieldsOf, type Kind, type Subject } from './entity.ts';

/** The file of a folder that says whom the other files are for. */
export const DESCRIPTOR: Readonly<Record<Activity, string>> = {
  'template-creation': 'templates.json',
  'proxy-configuration': 'configured.json',
};

/** What a descriptor may call each kind; the first is what is written. */
const TYPES: Readonly<Record<Activity, Readonly<Partial<Record<Kind, readonly string[]>>>>> = {
  'template-creation': {
    namespace: ['namespace', 'gateway'],
    service: ['service-color', 'service', 'service_color', 'service/color'],
  },
  'proxy-configuration': {
    gateway: ['gateway'],
    service_id: ['service-id', 'service_id'],
  },
};

const SPELLINGS: Readonly<Partial<Record<Field, readonly string[]>>> = {
  namespace: ['namespace', 'namespace-id', 'namespace_id'],
  service_id: ['service_id', 'service-id'],
};

/** A template for a color of every service: Nightjar has no such thing, and refuses the whole push. */
export class ColorWithoutService extends Error {
  override readonly name = 'ColorWithoutService';
}

/**
 * Reads a descriptor.
 *
 * @throws ColorWithoutService, or another Error that says what is wrong.
 */
export function readDescriptor(activity: Activity, text: string): Subject {
  const content = parse(text);
  const kind = kindOf(activity, content.type);
  const given = Object.fromEntries(fieldsOf(kind).map((field) => [field, readField(content, field)]));
  const subject = createSubject(kind, given);
  const { service, color } = subject.fields;
  if (kind === 'service' && service === null && color !== null) {
    throw new ColorWithoutService(`names the color "${color}" without a service.`);
  }
  return subject;
}

function parse(text: string): Readonly<Record<string, unknown>> {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw new Error('it is not JSON.');
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new Error('it is no JSON object.');
  }
  return content as Record<string, unknown>;
}

function kindOf(activity: Activity, type: unknown): Kind {
  const kinds = Object.entries(TYPES[activity]);
  const found = kinds.find(([, names]) => names.some((name) => name === type));
  if (found !== undefined) return found[0] as Kind;
  const known = kinds.flatMap(([, names]) => names).join(', ');
  throw new Error(`"type" is one of ${known}, not ${JSON.stringify(type) ?? 'missing'}.`);
}

function readField(content: Readonly<Record<string, unknown>>, field: Field): string | null {
  const name = (SPELLINGS[field] ?? [field]).find((spelling) => content[spelling] !== undefined);
  const value = name === undefined ? null : content[name];
  if (value === null || typeof value === 'string') return value;
  throw new Error(`"${name}" must be a text or null.`);
}

/** The descriptor of a subject, which {@link readDescriptor} reads as the same one. */
export function writeDescriptor(activity: Activity, { kind, fields }: Subject): string {
  const type = TYPES[activity][kind]?.[0];
  const named = fieldsOf(kind).map((field) => [field, fields[field] ?? null]);
  return `${JSON.stringify({ type, ...Object.fromEntries(named) }, null, 2)}\n`;
}
