/** What a series is told apart by; every value comes from a set that is known beforehand, never from a caller. */
export type Labels = Readonly<Record<string, string>>;

export interface MetricDeclaration<Label extends string> {
  /** As OpenTelemetry names it: lower case, parts separated by points. */
  readonly name: string;
  readonly help: string;
  /** UCUM: `s`, or what is counted in braces. */
  readonly unit: string;
  readonly labels?: readonly Label[];
}

export interface SumDeclaration<Label extends string> extends MetricDeclaration<Label> {
  /** Series that are there at zero from the beginning: of one that appears with its first event nobody sees it rise. */
  readonly series?: readonly LabelValues<Label>[];
}

/** One series as it stands now. */
export interface Sample<Value> {
  readonly labels: Labels;
  readonly value: Value;
}

/** All that was recorded of a distribution since the process began. */
export interface Distribution {
  /** Of each bound those up to it and above the one before, and at last those above all. */
  readonly counts: readonly number[];
  readonly sum: number;
  readonly count: number;
  /** The least and the greatest since `forgetExtremes`; absent for none. */
  readonly extremes: Extremes | undefined;
}

interface Extremes {
  readonly min: number;
  readonly max: number;
}

/** The values of labels that a metric has. */
type LabelValues<Label extends string> = Readonly<Record<Label, string>>;

/** More series than this are one, whose labels all say `other`: a mistake in labels must not fill the memory. */
const MAX_SERIES = 2_000;
const OTHER = 'other';

/** The series of a metric, by the values of its labels. */
class SeriesMap<Label extends string, Series> {
  readonly #labels: readonly Label[];
  readonly #create: () => Series;
  readonly #series = new Map<string, { readonly labels: Labels; readonly series: Series }>();

  constructor(labels: readonly Label[], create: () => Series) {
    this.#labels = labels;
    this.#create = create;
  }

  of(values: LabelValues<Label>): Series {
    let name = '';
    for (const label of this.#labels) name += `${values[label]}\n`;
    return this.#series.get(name)?.series ?? this.#add(name, values);
  }

  *all(): Generator<Series> {
    for (const { series } of this.#series.values()) yield series;
  }

  *samples<Value>(read: (series: Series) => Value): Generator<Sample<Value>> {
    for (const { labels, series } of this.#series.values()) yield { labels, value: read(series) };
  }

  #add(name: string, values: LabelValues<Label>): Series {
    const isFull = this.#series.size >= MAX_SERIES;
    const key = isFull ? OTHER : name;
    const labels = Object.fromEntries(
      this.#labels.map((label) => [label, isFull ? OTHER : values[label]] as const),
    );
    const known = this.#series.get(key) ?? { labels, series: this.#create() };
    this.#series.set(key, known);
    return known.series;
  }
}

/** A sum: of a `counter` it only grows, of a `gauge` it is what there is now. */
export class Sum<Label extends string = never> {
  readonly declaration: SumDeclaration<Label>;
  readonly type: 'counter' | 'gauge';
  readonly #series: SeriesMap<Label, { value: number }>;

  constructor(type: 'counter' | 'gauge', declaration: SumDeclaration<Label>) {
    this.type = type;
    this.declaration = declaration;
    this.#series = new SeriesMap(declaration.labels ?? [], () => ({ value: 0 }));
    for (const values of declaration.series ?? []) this.add(values, 0);
  }

  add(labels: LabelValues<Label>, by = 1): void {
    this.#series.of(labels).value += by;
  }

  samples(): Sample<number>[] {
    return [...this.#series.samples(({ value }) => value)];
  }
}

interface Recorded {
  readonly counts: number[];
  sum: number;
  count: number;
  extremes: Extremes | undefined;
}

/** How values are distributed over fixed bounds. */
export class Histogram<Label extends string = never> {
  readonly declaration: MetricDeclaration<Label>;
  readonly type = 'histogram';
  /** Ascending; a value that equals a bound is below it. */
  readonly bounds: readonly number[];
  readonly #series: SeriesMap<Label, Recorded>;

  constructor(bounds: readonly number[], declaration: MetricDeclaration<Label>) {
    this.declaration = declaration;
    this.bounds = bounds;
    this.#series = new SeriesMap(declaration.labels ?? [], () => ({
      counts: Array<number>(bounds.length + 1).fill(0),
      sum: 0,
      count: 0,
      extremes: undefined,
    }));
  }

  record(labels: LabelValues<Label>, value: number): void {
    const series = this.#series.of(labels);
    let place = 0;
    for (; place < this.bounds.length && value > (this.bounds[place] ?? 0); place += 1);
    series.counts[place] = (series.counts[place] ?? 0) + 1;
    series.sum += value;
    series.count += 1;
    const { min, max } = series.extremes ?? { min: value, max: value };
    if (series.extremes === undefined || value < min || value > max) {
      series.extremes = { min: Math.min(min, value), max: Math.max(max, value) };
    }
  }

  /** Begins the least and the greatest anew, as who reports them does as soon as they are read. */
  forgetExtremes(): void {
    for (const series of this.#series.all()) series.extremes = undefined;
  }

  samples(): Sample<Distribution>[] {
    return [...this.#series.samples((series) => ({ ...series, counts: [...series.counts] }))];
  }
}

/** A metric as who shows it sees it. */
export type Metric = Pick<Sum<string>, 'declaration' | 'type' | 'samples'> | ShownHistogram;

type ShownHistogram = Pick<
  Histogram<string>,
  'declaration' | 'type' | 'bounds' | 'samples' | 'forgetExtremes'
>;
