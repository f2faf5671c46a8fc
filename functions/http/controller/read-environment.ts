import { z } from 'zod';
import { invalid, SkerryError } from '../../../shared/platform/errors.ts';
import {
  checkInput,
  nameSchema,
  parseJsonContent,
  type RawContent,
} from '../../../shared/platform/http/index.ts';
import { readFlatXml } from './read-flat-xml.ts';

/** What the controller's source calls the members in XML. */
const XML_NAMES: ReadonlyMap<string, string> = new Map([
  ['ID', '_key'],
  ['Name', 'name'],
  ['Description', 'description'],
  ['CreatedOn', 'created_on'],
  ['DestroyedOn', 'destroyed_on'],
  ['DestructionPlannedOn', 'destruction_planned_on'],
]);

const text = z.string().max(2_000);
const time = z.iso.datetime({ offset: true }).nullable().default(null);

const environmentSchema = z.strictObject({
  _key: nameSchema,
  name: z.string().min(1).max(200),
  description: text.nullable().default(''),
  created_on: time,
  destroyed_on: time,
  destruction_planned_on: time,
});

/** An environment as clients of the controller write it. */
export type ControllerEnvironment = z.output<typeof environmentSchema>;

/**
 * The environment in a body.
 *
 * @throws SkerryError `unsupported-media-type` for what is neither JSON nor XML, or does not say so; `invalid` naming the member, or the place.
 */
export function readEnvironment(body: RawContent): ControllerEnvironment {
  return checkInput(environmentSchema, readMembers(body), 'field');
}

function readMembers({ bytes, contentType }: RawContent): unknown {
  const type = contentType?.split(';', 1).join().trim().toLowerCase();
  if (type === 'application/json') {
    return parseJsonContent(bytes, contentType);
  }
  if (type === 'application/xml') {
    const { root, members } = readFlatXml(bytes);
    if (root !== 'Environment') {
      throw invalid(`The body is a "${root}", not an "Environment".`, { fix: 'Send an Environment.' });
    }
    const given = members.filter(([, value]) => value !== '');
    return Object.fromEntries(given.map(([name, value]) => [XML_NAMES.get(name) ?? name, value]));
  }
  throw new SkerryError('unsupported-media-type', 'The Content-Type is neither JSON nor XML.', {
    field: 'Content-Type',
    fix: 'Send "application/json" or "application/xml".',
  });
}
