import { z } from 'zod';
import type { Version, Versions } from '../../bundles/index.ts';
import { bundleKey, referenceInBodySchema } from '../../bundles/index.ts';
import type {
  CommandRule,
  Operation,
  PlannedStep,
  StepOutcome,
  StepValue,
  Writes,
} from '../../operations/index.ts';
import { unprocessable } from '../../platform/errors.ts';
import { checkInput } from '../../platform/http/check.ts';
import { nameSchema, type Touch } from '../../platform/http/index.ts';
import type { Json } from '../../records/index.ts';
import { partIdSchema } from '../name.ts';
import {
  type TemplateDefinition,
  templateKey,
  templateLaneKey,
  templateScope,
} from '../templates/template.ts';
import { templateDefinitionSchema, toDefinition } from '../templates/template-schema.ts';
import { MAX_TEMPLATE_BYTES, type Templates } from '../templates/templates.ts';

const importDataSchema = z.union([
  z.strictObject({ id: partIdSchema, template: templateDefinitionSchema }),
  z.strictObject({
    id: partIdSchema,
    bundle: nameSchema,
    version: referenceInBodySchema.optional(),
    path: z.string().min(1).max(1_000).describe('Of a file of the bundle, JSON or YAML.'),
  }),
]);
type ImportData = z.output<typeof importDataSchema>;

export interface ImportRuleParts {
  readonly templates: Templates;
  readonly versions: Versions;
}

/** `template.import`: makes the next version of a template of what the command brings, or of a file of a bundle. */
export class ImportRule implements CommandRule<ImportData> {
  readonly type = 'template.import';
  readonly summary = 'Makes the next version of a template, of the command itself or of a file of a bundle.';
  readonly schema: z.ZodType<ImportData> = importDataSchema;
  readonly #parts: ImportRuleParts;

  constructor(parts: ImportRuleParts) {
    this.#parts = parts;
  }

  lane(ns: string, { id }: ImportData) {
    return { scope: templateScope(ns), key: templateLaneKey(id), session: `template:${id}` };
  }

  touches(data: ImportData): Touch[] {
    return [
      { verb: 'write', keys: templateKey(data.id) },
      ...('bundle' in data ? [{ verb: 'read', keys: bundleKey(data.bundle) } as const] : []),
    ];
  }

  async check(ns: string, data: ImportData): Promise<void> {
    await this.#parts.templates.check(ns, data.id, await this.#read(ns, data));
  }

  keys(): string[] {
    return [];
  }

  begin(): Writes {
    return [];
  }

  /** What stands for a version of the bundle now is what is imported. */
  async plan({ ns, data }: Operation<ImportData>): Promise<readonly PlannedStep[]> {
    const version = await this.#versionOf(ns, data);
    return [
      { id: 'import', verb: 'run', dependsOn: [], ...(version !== undefined && { memo: version.version }) },
    ];
  }

  /** What is the newest version already is not made again. */
  async perform(
    { ns, id: operation, actor, data }: Operation<ImportData>,
    { memo }: StepValue,
  ): Promise<StepOutcome> {
    const pinned = typeof memo === 'number' && 'bundle' in data ? { ...data, version: String(memo) } : data;
    const definition = await this.#read(ns, pinned);
    const write = { author: { actor }, operation };
    const { template } = await this.#parts.templates.put(ns, data.id, definition, write);
    return { state: 'succeeded', outputs: { version: template.version } };
  }

  stepKeys(): string[] {
    return [];
  }

  stepEnded(): Writes {
    return [];
  }

  conclude(): Writes {
    return [];
  }

  result({ data }: Operation<ImportData>, [step]: readonly StepValue[]): Json {
    return { template: data.id, ...step?.outputs };
  }

  async #versionOf(ns: string, data: ImportData): Promise<Version | undefined> {
    return 'bundle' in data
      ? await this.#parts.versions.find(ns, data.bundle, data.version ?? 'latest')
      : undefined;
  }

  async #read(ns: string, data: ImportData): Promise<TemplateDefinition> {
    if ('template' in data) {
      return toDefinition(data.template);
    }
    const { bundle, version: reference = 'latest', path } = data;
    const { versions } = this.#parts;
    const version = await versions.find(ns, bundle, reference);
    const file = await versions.findFile(ns, bundle, version, path);
    if (file.size > MAX_TEMPLATE_BYTES) {
      throw unprocessable(
        `The file has ${file.size} bytes; a template has ${MAX_TEMPLATE_BYTES} at the most.`,
        {
          field: 'path',
          fix: 'Make several templates of it.',
        },
      );
    }
    const text = new TextDecoder().decode(await versions.contentOf(ns, bundle, version, file));
    return toDefinition(checkInput(templateDefinitionSchema, await parseFile(text, path), 'field'));
  }
}

async function parseFile(text: string, path: string): Promise<unknown> {
  try {
    if (path.endsWith('.json')) {
      return JSON.parse(text);
    }
    const { parse } = await import('yaml');
    return parse(text, { maxAliasCount: 100, schema: 'core' });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : '';
    throw unprocessable(`The file ${path} cannot be read: ${reason}`, {
      field: 'path',
      fix: 'Write it in JSON or YAML.',
      cause,
    });
  }
}
