import type { Records } from '../records/index.ts';
import { ENVIRONMENT_KIND, type EnvironmentValue } from './environment.ts';

/** Environments of one page. */
const AT_ONCE = 100;

/**
 * The environments that are made from a template, destroyed ones too, in pages by their ids; each is as it is when it is read. Whoever
 * stops early has no further page read.
 */
export async function* usersOfTemplate(
  records: Records,
  ns: string,
  template: string,
): AsyncGenerator<readonly { readonly id: string; readonly value: EnvironmentValue }[], void> {
  let after: string | undefined;
  do {
    const page = await records.listed<EnvironmentValue>(ns, ENVIRONMENT_KIND, {
      limit: AT_ONCE,
      after,
      where: ({ value }) => value.templates.some(({ id }) => id === template),
    });
    yield page.records.map(({ scope, record }) => ({ id: scope.name, value: record.value }));
    after = page.next;
  } while (after !== undefined);
}
