import path from 'node:path';
import type { Template, TemplateInput } from '../../environments/template.ts';
import type { SkerryClient } from '../../skerry-client.ts';
import { findCommit } from './file-commit.ts';
import type { Definition } from './read-definition.ts';

export interface PushedTemplate {
  readonly template: Template;
  /** Whether there was such a version already. */
  readonly unchanged: boolean;
}

/** What a file makes of a template, with the commit that it is from where git knows one. */
export async function readTemplate(
  { content, file }: Definition,
  { folder, commit, signal }: { folder: string; commit: string | undefined; signal: AbortSignal },
): Promise<TemplateInput> {
  const known =
    commit ??
    content.commit ??
    (file === '-' ? undefined : await findCommit(path.resolve(folder, file), signal));
  // Skerry says what is wrong with it.
  return { ...content, ...(known !== undefined && { commit: known }) } as TemplateInput;
}

/** Makes a version of a template, unless the newest is the same. */
export async function pushTemplate(
  client: SkerryClient,
  id: string,
  input: TemplateInput,
  signal: AbortSignal,
): Promise<PushedTemplate> {
  const before = await client.templates.get(id, { signal });
  const template = await client.templates.put(id, input, { signal });
  return { template, unchanged: before?.version === template.version };
}
