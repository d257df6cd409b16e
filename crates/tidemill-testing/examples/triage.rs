use std::collections::BTreeMap;
use tidemill_testing::bodies::{Program, check, smallest};
fn main() {
    let args: Vec<u64> = std::env::args().skip(1).map(|a| a.parse().unwrap()).collect();
    let (from, to, shrink) = (args[0], args[1], args.get(2).copied().unwrap_or(0));
    std::panic::set_hook(Box::new(|_| {}));
    let mut kinds: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let begin = std::time::Instant::now();
    let mut shrunk: BTreeMap<String, u64> = BTreeMap::new();
    let mut slow = (0.0, 0);
    for seed in from..to {
        let mut program = Program::new(seed);
        program.tame(args.get(3).copied().unwrap_or(0));
        if std::env::var("PRINT").is_ok() {
            println!("{program}");
            continue;
        }
        let t = std::time::Instant::now();
        let program = program;
        let result = std::panic::catch_unwind(|| check(&program));
        let t = t.elapsed().as_secs_f64();
        if std::env::var("COST").is_ok() {
            println!("COST {:?} {}", program.triage_cost(), (t * 1000.0) as u64);
        }
        if t > slow.0 {
            slow = (t, seed);
        }
        match result {
            Ok(Ok(())) => {}
            Ok(Err(failed)) => {
                let mut rule = failed.rule.to_owned();
                if rule.contains("valid") || rule.contains("succeeds") {
                    rule += &format!(": {}", failed.message.lines().next().unwrap_or(""));
                }
                kinds.entry(rule.clone()).or_default().push(seed);
                let n = shrunk.entry(rule).or_default();
                if *n < shrink {
                    *n += 1;
                    let r = std::panic::catch_unwind(|| smallest(program, failed));
                    if let Ok((p, f)) = r {
                        println!("---- {}: {}\n{p}", f.rule, f.message);
                    } else {
                        println!("---- shrinking panicked {seed}");
                    }
                }
            }
            Err(e) => {
                let m = e
                    .downcast_ref::<String>()
                    .cloned()
                    .or(e.downcast_ref::<&str>().map(|s| s.to_string()))
                    .unwrap_or_default();
                kinds
                    .entry(format!("panic: {}", m.lines().next().unwrap_or("")))
                    .or_default()
                    .push(seed);
            }
        }
    }
    println!("{:?}, slowest {slow:?}", begin.elapsed());
    for (kind, seeds) in kinds {
        println!("{} x {kind}: {:?}", seeds.len(), &seeds[..seeds.len().min(12)]);
    }
}
