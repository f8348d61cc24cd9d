//! `renoir-peer <t1|q1|q5|q7> <file> <warm-up events> <file for rows>`: runs one workload once, after a run over its first events, and
//! prints what it cost as one line of JSON. The rows of T1 go to the file, those of Nexmark into a checksum.

mod checksum;
mod frames;
mod nexmark;
mod t1;
mod window;

use std::time::Instant;

use renoir::{RuntimeConfig, StreamContext};

use frames::Frames;

struct Cost {
    cpu_ms: f64,
    wall_ms: f64,
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, workload, file, warm_up, rows_file] = &args[..] else {
        panic!("renoir-peer <t1|q1|q5|q7> <file> <warm-up events> <file for rows>");
    };
    let all = Frames::new(frames::load(file));
    let first = all.leading(warm_up.parse().expect("a number of events"));
    let (cost, results) = if workload == "t1" {
        measured(t1::run, &first);
        let (cost, rows) = measured(t1::run, &all);
        std::fs::write(rows_file, t1::lines(&rows.lock().unwrap())).expect("rows can be written");
        (cost, String::new())
    } else {
        let query = match workload.as_str() {
            "q1" => nexmark::q1,
            "q5" => nexmark::q5,
            "q7" => nexmark::q7,
            other => panic!("there is no workload '{other}'"),
        };
        measured(query, &first);
        let (cost, total) = measured(query, &all);
        let tally = *total.lock().unwrap();
        (cost, format!(",\"rows\":{},\"checksum\":\"{}\"", tally.rows, tally.sum))
    };
    println!(
        "{{\"version\":\"0.6.0\",\"events\":{},\"cpuMs\":{},\"wallMs\":{},\"rssMb\":{}{results}}}",
        all.records(),
        cost.cpu_ms,
        cost.wall_ms,
        peak_rss_mb(),
    );
}

/// One run, and what it cost: CPU of the whole process, from before the first frame to the end of the job.
fn measured<R>(define: impl Fn(&StreamContext, Frames) -> R, frames: &Frames) -> (Cost, R) {
    let env = StreamContext::new(RuntimeConfig::local(1).expect("one core"));
    let results = define(&env, frames.clone());
    let (cpu, wall) = (cpu_ms(), Instant::now());
    env.execute_blocking();
    let cost = Cost { cpu_ms: cpu_ms() - cpu, wall_ms: wall.elapsed().as_secs_f64() * 1e3 };
    (cost, results)
}

fn cpu_ms() -> f64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes to `now` alone.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut now) };
    now.tv_sec as f64 * 1e3 + now.tv_nsec as f64 / 1e6
}

/// The highest that the process has had, with the file, which it holds in memory.
fn peak_rss_mb() -> i64 {
    // SAFETY: all of it may be zero, and the call fills it.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    usage.ru_maxrss / 1024
}
