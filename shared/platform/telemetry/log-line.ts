import { inspect } from 'node:util';

/** What tells a line apart from others; left out where it is not known. */
export interface LogFacts {
  readonly function?: string | undefined;
  readonly requestId?: string | undefined;
  readonly traceId?: string | undefined;
}

/** Tokens, keys of connection strings, signatures of URLs, and credentials in URLs and headers, whoever put them into a message. */
const SECRETS = [
  /\bskt_[A-Za-z0-9_-]{8,}/g,
  /(?<=\b(?:AccountKey|SharedAccessKey|SharedAccessSignature|InstrumentationKey)=)[^;\s"']+/gi,
  /(?<=[?&]sig=)[^&\s"']+/gi,
  /(?<=\b(?:Bearer|Basic) )[A-Za-z0-9._~+/=-]{8,}/gi,
  /(?<=\/\/[^/\s:@]*:)[^/\s@]+(?=@)/g,
  /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g,
];
/** Characters: a line is one message of the host, which cuts off longer ones. */
const MAX_CHARACTERS = 16_000;

/** One line of JSON for the log. Of errors it tells their stack, and what they were caused by. */
export function logLine(level: 'info' | 'error', words: readonly unknown[], facts: LogFacts = {}): string {
  const errors = words.filter((word) => word instanceof Error);
  const message = words
    .filter((word) => !(word instanceof Error))
    .map((word) => (typeof word === 'string' ? word : textOf(word)))
    .join(' ');
  const [error] = errors;
  const text = (value: string) => withoutSecrets(value).slice(0, MAX_CHARACTERS);
  return JSON.stringify({
    level,
    message: text(message === '' ? (error?.message ?? '') : message),
    ...facts,
    ...(error !== undefined && { error: text(describe(error)) }),
  });
}

export function withoutSecrets(text: string): string {
  return SECRETS.reduce((rest, secret) => rest.replace(secret, '***'), text);
}

/** Whatever was thrown: of what is no JSON, such as what holds itself, how Node.js shows it. */
function textOf(word: unknown): string | undefined {
  try {
    return JSON.stringify(word);
  } catch {
    return inspect(word);
  }
}

function describe(error: Error): string {
  const chain = new Set<Error>();
  for (let one: unknown = error; one instanceof Error && !chain.has(one); one = one.cause) chain.add(one);
  return [...chain].map(({ stack, name, message }) => stack ?? `${name}: ${message}`).join('\ncaused by ');
}
