type Json = Readonly<Record<string, unknown>>;

/** What one emulator's rules can match, and what they can do. */
export interface FaultGrammar<Subject, Action> {
  /** The fields by which a rule may match, and whether a subject has the text that a rule asks for. */
  readonly matchers: Readonly<Record<string, (subject: Subject, wanted: string) => boolean>>;
  readAction(given: Json): Action;
  /** The error for a rule that cannot be understood. */
  refuse(message: string): Error;
}

interface FaultRule<Subject, Action> {
  readonly definition: Json;
  readonly probability: number;
  readonly count: number;
  readonly action: Action;
  readonly random: () => number;
  matches(subject: Subject): boolean;
  fired: number;
}

/** Rules that make requests fail on purpose; the first rule that matches and fires decides. */
export class FaultRules<Subject, Action> {
  readonly #grammar: FaultGrammar<Subject, Action>;
  #rules: FaultRule<Subject, Action>[] = [];

  constructor(grammar: FaultGrammar<Subject, Action>) {
    this.#grammar = grammar;
  }

  /**
   * Takes `{"rules": [{"match", "action", "probability", "count", "seed"}]}`.
   * @throws the grammar's error when a rule cannot be understood; the rules that stood before stay
   */
  replace(body: unknown): void {
    if (!isObject(body) || !Array.isArray(body.rules))
      throw this.#grammar.refuse('Faults are given as {"rules": [...]}.');
    this.#rules = body.rules.map((given) => this.#readRule(given));
  }

  clear(): void {
    this.#rules = [];
  }

  /** The rules as they were given, and how often each has fired. */
  describe(): { rules: Json[] } {
    return { rules: this.#rules.map(({ definition, fired }) => ({ ...definition, fired })) };
  }

  actionFor(subject: Subject): Action | undefined {
    const rule = this.#rules.find(
      (candidate) =>
        candidate.fired < candidate.count &&
        candidate.matches(subject) &&
        candidate.random() < candidate.probability,
    );
    if (rule === undefined) return undefined;
    rule.fired += 1;
    return rule.action;
  }

  #readRule(given: unknown): FaultRule<Subject, Action> {
    if (!isObject(given)) throw this.#grammar.refuse('A fault rule must be an object.');
    const { match = {}, action, probability, count, seed, ...others } = given;
    const [misspelt] = Object.keys(others);
    if (misspelt !== undefined) throw this.#grammar.refuse(`A fault rule has no ${misspelt}.`);
    if (!isObject(match)) throw this.#grammar.refuse("A fault rule's match must be an object.");
    const matchers = Object.entries(match).map(([field, wanted]) => this.#readMatcher(field, wanted));
    if (!isObject(action)) throw this.#grammar.refuse("A fault rule's action must be an object.");
    return {
      definition: given,
      matches: (subject) => matchers.every((matches) => matches(subject)),
      probability: this.#optionalNumber(probability, 1),
      count: this.#optionalNumber(count, Number.POSITIVE_INFINITY),
      action: this.#grammar.readAction(action),
      random: seededRandom(this.#optionalNumber(seed, 1)),
      fired: 0,
    };
  }

  #readMatcher(field: string, wanted: unknown): (subject: Subject) => boolean {
    const has = this.#grammar.matchers[field];
    if (has === undefined || typeof wanted !== 'string') {
      const fields = Object.keys(this.#grammar.matchers).join(', ');
      throw this.#grammar.refuse(`A fault rule matches by the texts ${fields}, not by ${field}.`);
    }
    return (subject) => has(subject, wanted);
  }

  #optionalNumber(value: unknown, otherwise: number): number {
    if (value === undefined) return otherwise;
    if (typeof value === 'number' && value >= 0) return value;
    throw this.#grammar.refuse("A fault rule's numbers must not be negative.");
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Mulberry32: the same seed gives the same faults. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
