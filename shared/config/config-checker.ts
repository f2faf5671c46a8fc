import { createContext, Script } from 'node:vm';
import type { Ajv2020, ErrorObject, ValidateFunction } from 'ajv/dist/2020.js';
import { unprocessable } from '../platform/errors.ts';
import { fieldPath } from '../platform/http/check.ts';
import type { Json } from '../records/index.ts';
import type { JsonSchema } from './application.ts';
import { locateSchemaFault } from './schema-fault.ts';

const DIALECT = 'https://json-schema.org/draft/2020-12/schema';
const MAX_SCHEMA_BYTES = 64 * 1024;
const MAX_CACHED_VALIDATORS = 32;

/** Enough for honest schemas by far. Longer, and one request would hold up all others of the process. */
const MAX_CHECK_MILLISECONDS = 250;

/**
 * Checks configurations against the JSON Schemas (2020-12) of their applications. Schemas come from callers,
 * so compiling and checking are stopped after a time, in the middle of a regular expression if need be;
 * references lead nowhere but into the schema itself. Not guarded: that a caller makes the process spend that
 * time again and again.
 */
export class ConfigChecker {
  readonly #createAjv: () => Ajv2020;
  readonly #metaschema: Ajv2020;
  /** By the schema's text, in order of use. */
  readonly #validators = new Map<string, ValidateFunction>();
  readonly #run = createTimedRunner();

  /** Loads the validator, which costs some 50 ms that most processes never have to spend. */
  static async load(): Promise<ConfigChecker> {
    const [{ Ajv2020 }, { default: formats }] = await Promise.all([
      import('ajv/dist/2020.js'),
      import('ajv-formats'),
    ]);
    // Inlined, a reference that is repeated would let a small schema grow into megabytes of code.
    const options = { strict: false, logger: false, inlineRefs: false } as const;
    return new ConfigChecker(
      () => formats.default(new Ajv2020({ ...options, meta: false, validateSchema: false })),
      new Ajv2020(options),
    );
  }

  private constructor(createAjv: () => Ajv2020, metaschema: Ajv2020) {
    this.#createAjv = createAjv;
    this.#metaschema = metaschema;
  }

  /** @throws SkerryError `unprocessable` naming the path in `schema` or `config` that is at fault. */
  check(config: Json, schema: JsonSchema): void {
    const validate = this.#validatorFor(schema);
    const isValid = this.#run(
      () => validate(config),
      (cause) => {
        throw unprocessable(
          'The configuration cannot be checked against its schema in reasonable time or depth.',
          {
            field: 'schema',
            fix: 'Avoid patterns with nested repetition, and references that go in a circle.',
            cause,
          },
        );
      },
    );
    const [error] = validate.errors ?? [];
    if (isValid !== true && error !== undefined) {
      throw configFault(error);
    }
  }

  #validatorFor(schema: JsonSchema): ValidateFunction {
    const text = JSON.stringify(schema);
    const validator = this.#validators.get(text) ?? this.#compile(schema, text);
    this.#validators.delete(text);
    this.#validators.set(text, validator);
    const [leastRecentlyUsed] = this.#validators.keys();
    if (this.#validators.size > MAX_CACHED_VALIDATORS && leastRecentlyUsed !== undefined) {
      this.#validators.delete(leastRecentlyUsed);
    }
    return validator;
  }

  /** Each schema has a validator instance of its own, or the `$id` of one application would be another's. */
  #compile(schema: JsonSchema, text: string): ValidateFunction {
    this.#checkSchema(schema, text);
    return this.#run(
      () => this.#createAjv().compile(schema),
      (cause) => {
        const { path, detail } = locateSchemaFault(schema, cause);
        throw unprocessable(`The schema cannot be used: ${detail}.`, {
          field: fieldPath(['schema', ...path]),
          fix: 'Correct the schema at this place.',
          cause,
        });
      },
    );
  }

  #checkSchema(schema: JsonSchema, text: string): void {
    if (Buffer.byteLength(text) > MAX_SCHEMA_BYTES) {
      throw unprocessable(`The schema is larger than ${MAX_SCHEMA_BYTES / 1024} KiB.`, { field: 'schema' });
    }
    if (typeof schema === 'boolean') {
      return;
    }
    if (schema.$schema !== undefined && schema.$schema !== DIALECT && schema.$schema !== `${DIALECT}#`) {
      throw unprocessable('The schema is written in another dialect than 2020-12.', {
        field: 'schema.$schema',
        fix: `Leave it out, or write ${DIALECT}.`,
      });
    }
    if (schema.$async !== undefined) {
      throw unprocessable('The schema uses "$async", which is not of JSON Schema.', {
        field: 'schema.$async',
      });
    }
    const isSchema = this.#metaschema.validateSchema(schema);
    const [error] = this.#metaschema.errors ?? [];
    if (isSchema !== true && error !== undefined) {
      throw unprocessable(`The schema is not valid at this place: it ${error.message}.`, {
        field: fieldPath(['schema', ...pointerPath(error.instancePath)]),
        fix: 'Correct it; JSON Schema 2020-12 says what may stand there.',
      });
    }
  }
}

function configFault(error: ErrorObject): Error {
  const params: Record<string, unknown> = error.params;
  const member = params.missingProperty ?? params.additionalProperty ?? params.unevaluatedProperty;
  const path = [
    'config',
    ...pointerPath(error.instancePath),
    ...(typeof member === 'string' ? [member] : []),
  ];
  return unprocessable(
    `The configuration does not satisfy its schema at ${fieldPath(path)}: ${error.message}.`,
    {
      field: fieldPath(path),
      fix: `Correct the configuration, or change the schema (${error.schemaPath}).`,
    },
  );
}

/** The parts of a JSON Pointer (RFC 6901), array indexes as numbers. */
function pointerPath(pointer: string): (string | number)[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

/**
 * A function that runs work with a time limit. Only V8 itself can stop a regular expression, and `node:vm` is
 * how to ask it to.
 */
function createTimedRunner() {
  const sandbox: { work?: () => void } = {};
  const context = createContext(sandbox);
  const script = new Script('work()');
  return <Answer>(work: () => Answer, onFault: (fault: unknown) => never): Answer => {
    const answers: Answer[] = [];
    sandbox.work = () => {
      answers.push(work());
    };
    try {
      script.runInContext(context, { timeout: MAX_CHECK_MILLISECONDS });
    } catch (fault) {
      return onFault(fault);
    } finally {
      delete sandbox.work;
    }
    const [answer] = answers;
    return answer as Answer;
  };
}
