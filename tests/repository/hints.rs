//! The compiler's hints for mistaken programs: `rustc` itself checks each of these lines against
//! the library that this test is linked with.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// A line of a program, and parts of the compiler's message.
struct Hint(&'static str, &'static [&'static str]);

const HINTS: &[Hint] = &[
    Hint("reshape(x, [-1, n]);", &["is not a shape to reshape to", "shape![?, n]"]),
    Hint("reshape(x, [2, n]);", &["is not a shape to reshape to", "shape![?, n]"]),
    Hint("fill((2, 3), 0.5);", &["is not the shape of a tensor", "`shape(x)`"]),
    Hint("random_normal(\"2\", 0.0, 1.0, DType::F32, None);", &["is not the shape of a tensor"]),
    Hint("placeholder::<usize>([2]);", &["is not an element type", "write `i64`"]),
    Hint("constant(n);", &["`usize` cannot become a value", "`n as i64`"]),
    Hint("constant(x);", &["cannot become a value", "feed what `session.run(..)` returned"]),
    Hint("session.run_with(x, feeds![x => x])?;", &["cannot become a value"]),
    Hint("session.run(3.0)?;", &["cannot be fetched", "tensors, variables, operations"]),
    Hint(
        "while_loop((x, 3), |_| x, |state| state);",
        &["is not a structure of tensors", ".read()"],
    ),
    Hint("x.sum();", &["argument #1 is missing", "axes"]),
    Hint("let _: (f32, f32) = session.run((x, x))?;", &["expected `(f32, f32)`, found `(Value, "]),
    Hint(
        "let _: (f32, [f32; 2]) = session.run((x, x))?.into_scalars()?;",
        &["`[f32; 2]` is not an element type"],
    ),
];

/// Nobody reads more lines than this.
const PAGE: usize = 32;

fn source() -> String {
    let mut source = "#![allow(unused)] use tidemill::prelude::*; fn main() {}\n".to_owned();
    for (i, Hint(line, _)) in HINTS.iter().enumerate() {
        let arguments = "x: Tensor, n: usize, session: Session";
        let outcome = "Result<(), Box<dyn std::error::Error>>";
        source += &format!("fn line_{i}({arguments}) -> {outcome} {{ {line} Ok(()) }}\n");
    }
    source
}

/// The library that this program was linked with: the newest that is not younger than it.
fn library() -> Result<PathBuf, Box<dyn Error>> {
    let program = env::current_exe()?;
    let linked = fs::metadata(&program)?.modified()?;
    let folder = program.parent().ok_or("the program is in no folder")?;
    let mut libraries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("libtidemill-") && name.ends_with(".rlib") {
            libraries.push((fs::metadata(&path)?.modified()?, path));
        }
    }
    let before = libraries.into_iter().filter(|(modified, _)| *modified <= linked);
    Ok(before.max().ok_or("the library is not beside the program")?.1)
}

/// The compiler's messages for a file, one string for each error.
fn errors(file: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let library = library()?;
    let folder = library.parent().ok_or("the library is in no folder")?;
    let output = Command::new(env::var_os("RUSTC").unwrap_or("rustc".into()))
        .args(["--edition", "2024", "--emit", "metadata", "--color", "never"])
        .arg("--extern")
        .arg(format!("tidemill={}", library.display()))
        .arg("-L")
        .arg(format!("dependency={}", folder.display()))
        .arg("-o")
        .arg(file.with_extension("rmeta"))
        .arg(file)
        .output()?;
    let text = String::from_utf8(output.stderr)?;
    Ok(text.split("\n\n").map(str::to_owned).collect())
}

#[test]
fn the_compiler_names_what_to_write_instead() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("hints.rs");
    fs::write(&file, source())?;
    let errors = errors(&file)?;
    for (i, Hint(line, parts)) in HINTS.iter().enumerate() {
        let place = format!("hints.rs:{}:", i + 2);
        let said: Vec<&String> = errors.iter().filter(|error| error.contains(&place)).collect();
        for part in *parts {
            let is_said = said.iter().any(|error| error.contains(part));
            assert!(is_said, "of `{line}` the compiler does not say `{part}`: {errors:#?}");
        }
        let longest = said.iter().map(|error| error.lines().count()).max();
        assert!(longest.is_some_and(|lines| lines <= PAGE), "{said:#?}");
    }
    Ok(())
}

#[test]
fn forms_that_tensorflow_users_write_are_accepted() {
    use tidemill::prelude::*;
    let _graph = Graph::new().as_default();
    let n = 3_usize;
    let unknown = shape![?, 2];
    assert_eq!(placeholder::<f32>([-1, 2]).shape(), unknown);
    assert_eq!(placeholder::<f32>([None, Some(2)]).shape(), unknown);
    assert_eq!(placeholder::<f32>([n, 2]).shape(), [3, 2].into());
    assert_eq!(placeholder::<f32>([]).shape(), PartialShape::scalar());
    let x = placeholder::<f32>([2, n]);
    assert_eq!(reshape(x, shape![?, n]).shape(), [2, 3].into());
    assert_eq!(reshape(x, [-1, 2]).shape(), [3, 2].into());
    assert_eq!(reshape(x, [3_i64, 2]).shape(), [3, 2].into());
    assert_eq!(reduce_mean(x, None).shape(), PartialShape::scalar());
    assert_eq!(tile(x, [1, n]).shape(), [2, 9].into());
    assert_eq!((x * n).dtype(), Some(DType::F32));
    assert_eq!(x.matmul(x.transpose(&[])).shape(), [2, 2].into());
    let weights = get_variable("weights", [3, 4], zeros());
    let (of_tensor, of_variable): (&Tensor, &Variable) = (&x, &weights);
    assert_eq!(matmul(of_tensor, of_variable).shape(), [2, 4].into());
    let array = ndarray::Array2::<f32>::zeros((2, 3));
    assert_eq!(Value::from(array.clone()).shape(), &[2, 3].into());
    assert_eq!(array.into_value().map(|value| value.dtype()), Ok(DType::F32));
}
