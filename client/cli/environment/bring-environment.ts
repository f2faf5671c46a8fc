import { isDeepStrictEqual } from 'node:util';
import type { Environment, EnvironmentInput } from '../../environments/environment.ts';
import type { LongRunningOperation } from '../../operations/operation.ts';
import type { SkerryClient } from '../../skerry-client.ts';

/** What has to be done to an environment; one that is destroyed stays so until it is forgotten. */
export type Bringing = 'create' | 'update' | 'nothing' | 'leave destroyed';

/** What would make an environment as it is wanted; members that are left out may be anything. */
export async function compareEnvironment(
  client: SkerryClient,
  wanted: EnvironmentInput,
  signal: AbortSignal,
): Promise<Bringing> {
  const present = await client.environments.get(wanted.id, { signal });
  if (present === undefined) return 'create';
  if (present.state === 'Destroyed') return 'leave destroyed';
  if (!hasFacts(present, wanted)) return 'update';
  const { create, update, destroy } = await client.environments.plan(wanted, { signal });
  return create.length + update.length + destroy.length === 0 ? 'nothing' : 'update';
}

/** Sends the command that makes an environment as it is wanted. */
export async function bringEnvironment(
  client: SkerryClient,
  { id, ...wanted }: EnvironmentInput,
  bringing: 'create' | 'update',
  signal: AbortSignal,
): Promise<LongRunningOperation> {
  return bringing === 'create'
    ? await client.environments.create({ id, ...wanted }, { signal })
    : await client.environments.update(id, wanted, { signal });
}

/** Whether there is anything to do. */
export function isWork(bringing: Bringing): bringing is 'create' | 'update' {
  return bringing === 'create' || bringing === 'update';
}

/** Which templates an environment names; that of a file may be anything, and Skerry says what is wrong with it. */
export function templateIdsOf({ templates }: { readonly templates?: unknown }): readonly unknown[] {
  const uses: readonly unknown[] = Array.isArray(templates) ? templates : [];
  return uses.map((use) => (typeof use === 'object' && use !== null && 'id' in use ? use.id : undefined));
}

/** Whether it is as it is wanted, but for its templates, which a plan compares. */
function hasFacts(present: Environment, { templates, ...wanted }: EnvironmentInput): boolean {
  return (
    isDeepStrictEqual(templateIdsOf(present), templateIdsOf({ templates: templates ?? present.templates })) &&
    Object.entries(wanted).every(([name, value]) => hasFact(present, name as keyof EnvironmentInput, value))
  );
}

function hasFact(present: Environment, name: keyof EnvironmentInput, value: unknown): boolean {
  // Those of its templates are among them.
  if (name === 'entrypoints' && Array.isArray(value)) {
    return value.every((entrypoint) => present.entrypoints.includes(entrypoint));
  }
  if (name === 'destructionPlannedOn' && typeof value === 'string') {
    return Date.parse(present.destructionPlannedOn ?? '') === Date.parse(value);
  }
  return isDeepStrictEqual(present[name] ?? null, value);
}
