import packageJson from '../../package.json' with { type: 'json' };

/** The header `User-Agent` of all that Skerry calls. */
export const USER_AGENT = `Skerry/${packageJson.version}`;
