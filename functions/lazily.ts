/** How each member of an object is made, out of others of the whole that it is to be a part of. */
export type Makers<Things extends object, Whole = Things> = {
  readonly [Name in keyof Things]: (whole: Whole) => Things[Name];
};

/** An object whose members are each made at their first use, and then stay. */
export function lazily<Things extends object>(makers: Makers<Things>): Things {
  const things = {} as Things;
  for (const name of Object.keys(makers) as (keyof Things)[]) {
    Object.defineProperty(things, name, {
      configurable: true,
      get() {
        const value = makers[name](things);
        Object.defineProperty(things, name, { value });
        return value;
      },
    });
  }
  return things;
}
