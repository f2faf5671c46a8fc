/** Says whether a route value satisfies an inline constraint such as `int` or `length(2,5)`. */
export type RouteConstraint = (value: string) => boolean;

const INT_MIN = -(2n ** 31n);
const LONG_MIN = -(2n ** 63n);

const SIMPLE: Readonly<Record<string, RouteConstraint>> = {
  int: (value) => isInteger(value, INT_MIN),
  long: (value) => isInteger(value, LONG_MIN),
  bool: (value) => /^(true|false)$/i.test(value),
  datetime: (value) => /\d/.test(value) && !Number.isNaN(Date.parse(value)),
  decimal: isNumber,
  double: isNumber,
  float: isNumber,
  guid: (value) => /^[{(]?[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}[)}]?$/i.test(value),
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

function isNumber(value: string): boolean {
  return /^[+-]?(\d[\d,]*\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value.trim());
}

function isFileName(value: string): boolean {
  return /\.[^./]/.test(value.slice(value.lastIndexOf('/') + 1));
}
