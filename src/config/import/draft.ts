/** Our configuration while it is put together. */
export interface Draft {
  concurrent: number | undefined;
  /** Sections of their own: `log`, `metricsServer`. */
  readonly top: Map<string, unknown>;
  readonly metrics: Map<string, unknown>;
  /** @throws ValueError when another entry has said something else */
  metric(key: string, value: unknown): void;
  /** `name:promql`. @throws ValueError about those that cannot be taken over; the others are */
  queries(texts: string[]): void;
}

/** One `[[runners]]`. */
export interface Place {
  readonly engine: Map<string, unknown>;
  readonly docker: Map<string, unknown>;
  readonly entry: Map<string, unknown>;
  token: string | undefined;
  limit: number;
  executor: string;
  tlsVerify: boolean;
}

export function createPlace(): Place {
  return {
    engine: new Map(),
    docker: new Map(),
    entry: new Map(),
    token: undefined,
    limit: 0,
    executor: 'docker',
    tlsVerify: false,
  };
}
