/**
 * Environments: what an operator runs, made from templates by operations. `templates/` describes what can be made.
 */
export * from './environment.ts';
export * from './templates/template.ts';
