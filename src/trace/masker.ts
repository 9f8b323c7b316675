import { createPhraseMasker, type ByteStage } from './phrase-masker.js';
import { createPrefixMasker } from './prefix-masker.js';

/** gitlab-protocol section 4.3: masked even when nobody has declared them. */
export const DEFAULT_TOKEN_PREFIXES = [
  'glpat-',
  'gloas-',
  'gldt-',
  'glrt-',
  'glcbt-',
  'glrtr-',
  'glptt-',
  'glft-',
  'glimt-',
  'glagent-',
  'glsoat-',
  'glffct-',
  '_gitlab_session=',
  'gltok-',
] as const;

/**
 * Bounds for what a payload brings, so that no payload can make masking slow: more than a GitLab has. A prefix that is cut hides more,
 * never less. GitLab's runner keeps the fifteen shortest of all, so that an instance's own prefix may be forgotten (ADR 27).
 */
const MAX_TOKEN_PREFIXES = 100;
const MAX_PREFIX_CHARACTERS = 64;

const URL_PARAMETERS = [
  'private_token',
  'authenticity_token',
  'rss_token',
  'x-amz-signature',
  'x-amz-credential',
  'x-amz-security-token',
];

/**
 * Everything that keeps secrets out of a trace, in GitLab's order: declared values, then URL parameters, then token prefixes.
 * Works on bytes; what is no secret passes unchanged, invalid UTF-8 too.
 */
export function createMasker(options: { phrases: readonly string[]; tokenPrefixes: readonly string[] }): ByteStage {
  const given = options.tokenPrefixes
    .slice(0, MAX_TOKEN_PREFIXES)
    // The masker reads bytes as latin1.
    .map((prefix) => Buffer.from(prefix).toString('latin1').slice(0, MAX_PREFIX_CHARACTERS));
  const stages = [
    createPhraseMasker(options.phrases),
    createPrefixMasker({
      prefixes: URL_PARAMETERS.flatMap((name) => [`?${name}=`, `&${name}=`]),
      ignoreCase: true,
      isValueByte: (byte) => byte > 0x20 && byte !== 0x7f && byte !== 0x26 && byte !== 0x3f, // up to & ? space control
    }),
    createPrefixMasker({
      prefixes: [...DEFAULT_TOKEN_PREFIXES, ...given],
      ignoreCase: false,
      isValueByte: isTokenByte,
    }),
  ];
  return {
    push: (chunk) => stages.reduce((bytes, stage) => (bytes.length === 0 ? bytes : stage.push(bytes)), chunk),
    flush() {
      let rest: Buffer = Buffer.alloc(0);
      for (const stage of stages) {
        const passed = rest.length === 0 ? rest : stage.push(rest);
        rest = Buffer.concat([passed, stage.flush()]);
      }
      return rest;
    },
  };
}

/** `[A-Za-z0-9-._=]` */
function isTokenByte(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x41 && byte <= 0x5a) ||
    (byte >= 0x61 && byte <= 0x7a) ||
    byte === 0x2d ||
    byte === 0x2e ||
    byte === 0x5f ||
    byte === 0x3d
  );
}
