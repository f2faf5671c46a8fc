/** Says whether a route value satisfies an inline constraint such as `int` or `length(2,5)`. */
export type RouteConstraint = (value: string) => boolean;

const INT_MIN = -(2n ** 31n);
const LONG_MIN = -(2n ** 63n);

const DECIMAL = /^\s*[+-]?(\d[\d,]*\.?\d*|\.\d+)\s*$/;
const GUID_DIGITS = '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const GUID = new RegExp(`^([0-9a-f]{32}|${GUID_DIGITS}|\\{${GUID_DIGITS}\\}|\\(${GUID_DIGITS}\\))$`, 'i');
const DATE_WORD =
  /^(t|z|gmt|am|pm|(mon|tues|wednes|thurs|fri|satur|sun)day|mon|tue|wed|thu|fri|sat|sun|jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sep(tember)?|oct(ober)?|nov(ember)?|dec(ember)?)$/i;

const SIMPLE: Readonly<Record<string, RouteConstraint>> = {
  int: (value) => isInteger(value, INT_MIN),
  long: (value) => isInteger(value, LONG_MIN),
  bool: (value) => /^\s*(true|false)\s*$/i.test(value),
  datetime: isDateTime,
  decimal: (value) => DECIMAL.test(value),
  double: isFloat,
  float: isFloat,
  guid: (value) => GUID.test(value.trim()),
  alpha: (value) => /^[a-z]*$/i.test(value),
  required: (value) => value !== '',
  file: (value) => isFileName(value),
  nonfile: (value) => !isFileName(value),
};

const WITH_ONE_NUMBER: Readonly<Record<string, (limit: number) => RouteConstraint>> = {
  minlength: (limit) => (value) => value.length >= limit,
  maxlength: (limit) => (value) => value.length <= limit,
  length: (limit) => (value) => value.length === limit,
  min: (limit) => (value) => isInteger(value, LONG_MIN) && Number(value) >= limit,
  max: (limit) => (value) => isInteger(value, LONG_MIN) && Number(value) <= limit,
};

const WITH_TWO_NUMBERS: Readonly<Record<string, (low: number, high: number) => RouteConstraint>> = {
  length: (low, high) => (value) => value.length >= low && value.length <= high,
  range: (low, high) => (value) =>
    isInteger(value, LONG_MIN) && Number(value) >= low && Number(value) <= high,
};

/**
 * Reads one inline constraint (ASP.NET Core routing, `DefaultInlineConstraintResolver`).
 *
 * @throws Error for a constraint that does not exist; the function then fails to index in Azure.
 */
export function parseRouteConstraint(text: string): RouteConstraint {
  const [, name = '', parameters] = /^([^(]*)(?:\((.*)\))?$/s.exec(text) ?? [];
  const key = name.toLowerCase();
  if (key === 'regex' && parameters !== undefined) {
    const pattern = new RegExp(parameters, 'i');
    return (value) => pattern.test(value);
  }
  const numbers = parameters?.split(',').map(Number) ?? [];
  const [low, high] = numbers;
  const constraint =
    low === undefined
      ? SIMPLE[key]
      : high === undefined
        ? WITH_ONE_NUMBER[key]?.(low)
        : WITH_TWO_NUMBERS[key]?.(low, high);
  if (constraint === undefined || numbers.length > 2 || numbers.some(Number.isNaN)) {
    throw new Error(`route constraint '${text}' is unknown`);
  }
  return constraint;
}

/** `minimum` is the lowest value of a two's complement type, whose highest is one less than its amount. */
function isInteger(value: string, minimum: bigint): boolean {
  if (!/^\s*[+-]?\d+\s*$/.test(value)) return false;
  const number = BigInt(value.trim().replace(/^\+/, ''));
  return number >= minimum && number < -minimum;
}

function isFloat(value: string): boolean {
  return (
    DECIMAL.test(value.replace(/(?<=[\d.])e[+-]?\d+(?=\s*$)/i, '')) ||
    /^\s*[+-]?(infinity|nan)\s*$/i.test(value)
  );
}

/** .NET reads dates in many forms; JavaScript does too, but finds dates in other words as well, and a 30th of February. */
function isDateTime(value: string): boolean {
  if (!/\d/.test(value) || Number.isNaN(Date.parse(value))) return false;
  const words = value.match(/[a-z]+/gi) ?? [];
  if (!words.every((word) => DATE_WORD.test(word))) return false;
  const [, date, day] = /^\s*(\d{4}-\d\d-(\d\d))/.exec(value) ?? [];
  return date === undefined || new Date(`${date}T00:00:00Z`).getUTCDate() === Number(day);
}

function isFileName(value: string): boolean {
  return /\.[^./]/.test(value.slice(value.lastIndexOf('/') + 1));
}
