import { mapConcurrently } from '../../platform/map-concurrently.ts';
import type { TemplateUse } from '../environment.ts';
import type { EnvironmentChange } from '../environment-schema.ts';
import type { Fault } from '../faults.ts';
import type { TemplateDefinition } from '../templates/template.ts';
import type { Templates } from '../templates/templates.ts';
import { fillInParameters } from './parameters.ts';

const AT_ONCE = 8;
/** Bytes of the parameters of an environment as JSON: they are kept with each of its resources. */
const MAX_PARAMETER_BYTES = 64 * 1024;

export interface ResolvedTemplate {
  readonly use: TemplateUse;
  readonly definition: TemplateDefinition;
}

type Asked = NonNullable<EnvironmentChange['templates']>[number];

/**
 * The templates that an environment is to be made from, each in one version and with all its parameters.
 *
 * @param used what it is made from so far: a template that is deleted serves on for it.
 * @param faults what is wrong is added to them; a template that there is not is left out.
 */
export async function resolveTemplates(
  templates: Templates,
  ns: string,
  asked: readonly Asked[],
  used: readonly TemplateUse[],
  faults: Fault[],
): Promise<ResolvedTemplate[]> {
  const found = await mapConcurrently(asked, AT_ONCE, ({ id, version }) => {
    const isUsed = used.some((one) => one.id === id && one.version === version);
    return find(templates, ns, { id, version, isUsed });
  });
  const resolved = asked.flatMap(({ id, version, parameters = {} }, index) => {
    const path = ['templates', index] as const;
    if (asked.findIndex((one) => one.id === id) !== index) {
      faults.push({
        path: [...path, 'id'],
        detail: `The template "${id}" is named twice.`,
        fix: 'Name it once; what is needed twice belongs in two templates.',
      });
      return [];
    }
    const template = found[index];
    if (template === undefined) {
      faults.push({
        path: [...path, version === undefined ? 'id' : 'version'],
        detail: `There is no template "${id}"${version === undefined ? '' : ` with a version ${version}`}.`,
        fix: 'Put the template first, or correct its name and version.',
      });
      return [];
    }
    const values = fillInParameters(template.parameters, parameters, [...path, 'parameters'], faults);
    return [{ use: { id, version: template.version, parameters: values }, definition: template }];
  });
  const bytes = Buffer.byteLength(JSON.stringify(resolved.map(({ use }) => use.parameters)));
  if (bytes > MAX_PARAMETER_BYTES) {
    faults.push({
      path: ['templates'],
      detail: `The parameters have ${bytes} bytes; ${MAX_PARAMETER_BYTES} are allowed.`,
      fix: 'Keep large values in an application or a bundle, and name those.',
    });
  }
  return resolved;
}

async function find(
  templates: Templates,
  ns: string,
  { id, version, isUsed }: { id: string; version: number | undefined; isUsed: boolean },
) {
  if (version === undefined) {
    return await templates.get(ns, id);
  }
  const isThere = isUsed || (await templates.get(ns, id)) !== undefined;
  return isThere ? await templates.version(ns, id, version) : undefined;
}
