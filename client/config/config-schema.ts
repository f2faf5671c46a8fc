/** A schema by the Standard Schema specification, as zod, valibot, arktype and others have it. */
export interface StandardSchema<Output> {
  readonly '~standard': {
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
  };
}

type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** Anything that turns what is stored into what is wanted, or throws. */
export interface ParsingSchema<Output> {
  parse(value: unknown): Output;
}

export type ConfigSchema<Output> = StandardSchema<Output> | ParsingSchema<Output>;

/** A configuration is not what its application expects. */
export class InvalidConfig extends Error {
  override readonly name: string = 'InvalidConfig';
}

/** @throws InvalidConfig */
export async function readConfig<Output>(
  app: string,
  schema: ConfigSchema<Output>,
  value: unknown,
): Promise<Output> {
  if (!('~standard' in schema)) {
    try {
      return schema.parse(value);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new InvalidConfig(`The configuration of "${app}" is not what it expects: ${reason}`, { cause });
    }
  }
  const result = await schema['~standard'].validate(value);
  if (result.issues === undefined) return result.value;
  const reasons = result.issues.map(describeIssue).join('; ');
  throw new InvalidConfig(`The configuration of "${app}" is not what it expects: ${reasons}`, {
    cause: result.issues,
  });
}

function describeIssue({ message, path = [] }: StandardIssue): string {
  const names = path.map((part) => String(typeof part === 'object' ? part.key : part));
  return names.length === 0 ? message : `${names.join('.')}: ${message}`;
}
