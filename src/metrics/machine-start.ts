/** From when the counters of a machine count, beside them on the same page. */
export const MACHINE_START_TIME = 'holdfast_machine_start_time_seconds';
