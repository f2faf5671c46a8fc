export const LOG_LEVELS = ['trace', 'debug', 'information', 'warning', 'error', 'critical', 'none'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogEntry {
  readonly level: LogLevel;
  /** `Host.*`, `Function.<name>` or `Function.<name>.User`. */
  readonly category: string;
  readonly message: string;
}

export type LogWriter = (entry: LogEntry) => void;

/** Writes what host.json's `logging.logLevel` lets through; of its categories the longest prefix decides. */
export class Log {
  readonly #levels: Readonly<Record<string, LogLevel>>;
  readonly #writer: LogWriter;
  readonly #minimumByCategory = new Map<string, number>();

  constructor(levels: Readonly<Record<string, LogLevel>> = {}, writer: LogWriter = writeLine) {
    this.#levels = levels;
    this.#writer = writer;
  }

  isEnabled(level: LogLevel, category: string): boolean {
    let minimum = this.#minimumByCategory.get(category);
    if (minimum === undefined) {
      minimum = LOG_LEVELS.indexOf(this.#levelOf(category));
      this.#minimumByCategory.set(category, minimum);
    }
    return level !== 'none' && LOG_LEVELS.indexOf(level) >= minimum;
  }

  write(level: LogLevel, category: string, message: string): void {
    if (this.isEnabled(level, category)) this.#writer({ level, category, message });
  }

  #levelOf(category: string): LogLevel {
    let longest = '';
    for (const prefix of Object.keys(this.#levels)) {
      if (prefix.length > longest.length && category.startsWith(prefix)) longest = prefix;
    }
    return this.#levels[longest] ?? this.#levels.default ?? 'information';
  }
}

const SHORT_LEVELS: Readonly<Record<LogLevel, string>> = {
  trace: 'trce',
  debug: 'dbug',
  information: 'info',
  warning: 'warn',
  error: 'fail',
  critical: 'crit',
  none: 'none',
};

function writeLine({ level, category, message }: LogEntry): void {
  const line = `${new Date().toISOString().slice(11, 23)} ${SHORT_LEVELS[level]} ${category}: ${message}\n`;
  const stream = LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf('warning') ? process.stderr : process.stdout;
  stream.write(line);
}

/** What an error says, without its stack. */
export function messageOf(error: unknown): string {
  // What an SDK throws after several tries has nothing to say but what each of them met.
  if (error instanceof AggregateError) return messageOf(error.errors.at(-1));
  return error instanceof Error ? error.message : String(error);
}

/** The stack of an error, or whatever else was thrown as text. */
export function describeError(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
