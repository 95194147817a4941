//! Weights files that an experiment names, looked at before a study starts.
//!
//! Only the list of tensors is read and the digest taken; the worker loads the
//! numbers, and takes no file of another digest. What is wrong with a file is
//! known before any trial, so that planning one needs no disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use sha2::{Digest as _, Sha256};
use sweep_proto::digest::hexadecimal;
use sweep_proto::mobilenet_v2::{Architecture, is_passed_over};
use sweep_proto::shape::{LayerSummary, ShapeError};
use sweep_proto::v1::layer::Kind;
use sweep_proto::v1::{Layer, MobileNetV2, Model, WeightsFile};

/// More than any MobileNetV2 has.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// What weights may be, as the worker reads them.
const FLOATS: [Dtype; 4] = [Dtype::F16, Dtype::BF16, Dtype::F32, Dtype::F64];

/// The way to mend a file of something else.
const HINT: &str = "the file has to hold torchvision's `mobilenet_v2` of the same `alpha`, under \
                    its own names: `features.0.0.weight`, ...";

/// A weights file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the weights file `{}` {problem}", path.display())]
pub struct WeightsError {
    /// As the experiment names it.
    pub path: PathBuf,
    /// What is wrong.
    pub problem: String,
    /// Whether there is no such file.
    pub is_absent: bool,
}

impl WeightsError {
    /// How to mend it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        if self.is_absent {
            "save there what `torchvision.models.mobilenet_v2(weights=\"DEFAULT\").state_dict()` \
             holds, with `safetensors.torch.save_file`"
        } else {
            HINT
        }
    }
}

/// The files of an experiment that were found good, by the names it gives them.
#[derive(Debug, Clone, Default)]
pub struct WeightsFiles(BTreeMap<String, Arc<Inspected>>);

/// What a file holds.
#[derive(Debug)]
struct Inspected {
    /// From the root of the file system.
    path: PathBuf,
    digest: String,
    /// Shapes of its tensors of floating-point numbers, by name.
    tensors: BTreeMap<String, Vec<usize>>,
}

impl WeightsFiles {
    /// Reads the list of tensors of a file, unless that was done.
    ///
    /// # Errors
    ///
    /// When the file is absent, cut short, or no safetensors file.
    pub fn inspect(&mut self, name: &str) -> Result<(), WeightsError> {
        if !self.0.contains_key(name) {
            let inspected = Inspected::read(Path::new(name))?;
            self.0.insert(name.to_owned(), Arc::new(inspected));
        }
        Ok(())
    }

    /// Completes a model that names files: where they lie, and their digests.
    /// Files that were not inspected stay as they are.
    ///
    /// - `rows`: the model's, by [`infer`](sweep_proto::shape::infer)
    ///
    /// # Errors
    ///
    /// The first layer whose file holds the tensors of something else.
    pub fn complete(&self, model: &mut Model, rows: &[LayerSummary]) -> Result<(), ShapeError> {
        self.complete_layers(&mut model.layers, rows)
    }

    fn complete_layers(
        &self,
        layers: &mut [Layer],
        rows: &[LayerSummary],
    ) -> Result<(), ShapeError> {
        for layer in layers {
            if let Some(Kind::Parallel(parallel)) = &mut layer.kind {
                for branch in &mut parallel.branches {
                    self.complete_layers(&mut branch.layers, rows)?;
                }
            }
            if let Some(Kind::MobilenetV2(MobileNetV2 { alpha, weights: Some(file), .. })) =
                &mut layer.kind
            {
                self.complete_file(file, *alpha).map_err(|message| ShapeError {
                    index: rows.iter().position(|row| row.name == layer.name).unwrap_or(0),
                    layer: layer.name.clone(),
                    message,
                    hint: Some(HINT.to_owned()),
                })?;
            }
        }
        Ok(())
    }

    fn complete_file(&self, file: &mut WeightsFile, alpha: f64) -> Result<(), String> {
        let Some(inspected) = self.0.get(&file.path) else { return Ok(()) };
        let expected = Architecture::new(alpha).map(|network| network.tensors());
        inspected
            .check(&expected.unwrap_or_default(), alpha)
            .map_err(|problem| format!("the weights file `{}` {problem}", file.path))?;
        *file = WeightsFile {
            path: inspected.path.to_string_lossy().into_owned(),
            digest: inspected.digest.clone(),
        };
        Ok(())
    }
}

impl Inspected {
    fn read(path: &Path) -> Result<Self, WeightsError> {
        let error =
            |problem: String, is_absent| WeightsError { path: path.to_owned(), problem, is_absent };
        let io = |cause: std::io::Error| {
            let is_absent = cause.kind() == std::io::ErrorKind::NotFound;
            error(format!("cannot be read: {cause}"), is_absent)
        };
        let file = File::open(path).map_err(io)?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(error(format!("is larger than {MAX_FILE_BYTES} bytes"), false));
        }
        let tensors = SafeTensors::deserialize(&bytes).map_err(|cause| {
            error(format!("is cut short, or no safetensors file: {cause}"), false)
        })?;
        let tensors = tensors.tensors().into_iter();
        let tensors = tensors
            .filter(|(_, view)| FLOATS.contains(&view.dtype()))
            .map(|(name, view)| (name, view.shape().to_vec()));
        Ok(Self {
            tensors: tensors.collect(),
            digest: hexadecimal(&Sha256::digest(&bytes)),
            path: path.canonicalize().map_err(io)?,
        })
    }

    /// Whether these are the tensors that are needed, and no others.
    fn check(&self, expected: &[(String, Vec<u32>)], alpha: f64) -> Result<(), String> {
        for (name, shape) in expected {
            let Some(found) = self.tensors.get(name) else {
                return Err(format!(
                    "is of another model: it has no tensor `{name}` of floating-point numbers"
                ));
            };
            if !shape.iter().map(|&size| size as usize).eq(found.iter().copied()) {
                return Err(format!(
                    "is of another model: its tensor `{name}` has the shape {found:?}, where \
                     `alpha` {alpha} needs {shape:?}"
                ));
            }
        }
        let is_known =
            |name: &str| is_passed_over(name) || expected.iter().any(|(known, _)| known == name);
        match self.tensors.keys().find(|name| !is_known(name)) {
            Some(name) => Err(format!("is of another model: it has a tensor `{name}`")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! Weights files of a small network.
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::fs;

    use safetensors::tensor::TensorView;

    use super::*;

    pub(crate) type Tensors = Vec<(String, Vec<u32>)>;

    /// A file with the tensors of a small network, changed by `change`.
    pub(crate) fn file(folder: &Path, change: impl Fn(&mut Tensors)) -> String {
        let mut tensors = Architecture::new(0.1).unwrap().tensors();
        tensors.push(("features.0.1.num_batches_tracked".to_owned(), vec![1]));
        tensors.push(("classifier.1.weight".to_owned(), vec![10, 1280]));
        change(&mut tensors);
        let data: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
            .into_iter()
            .map(|(name, shape)| {
                let shape: Vec<usize> = shape.into_iter().map(|size| size as usize).collect();
                let bytes = vec![0; 4 * shape.iter().product::<usize>()];
                (name, shape, bytes)
            })
            .collect();
        let views = data.iter().map(|(name, shape, bytes)| {
            (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
        });
        let path = folder.join("weights.safetensors");
        fs::write(&path, safetensors::serialize(views, &None).unwrap()).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::fs;

    use sweep_proto::v1::Branch;

    use super::testing::{Tensors, file};
    use super::*;

    fn inspected(path: &str) -> Result<WeightsFiles, WeightsError> {
        let mut files = WeightsFiles::default();
        files.inspect(path)?;
        files.inspect(path)?;
        Ok(files)
    }

    /// A network with the layer in a branch.
    fn model(path: &str, alpha: f64) -> Model {
        let weights = Some(WeightsFile { path: path.to_owned(), digest: String::new() });
        let kind = Kind::MobilenetV2(MobileNetV2 { alpha, trainable: false, weights });
        let layer = Layer { name: "mobilenet_v2".to_owned(), kind: Some(kind) };
        let branches = vec![Branch { layers: vec![layer] }];
        let parallel = sweep_proto::v1::Parallel { branches, merge: None };
        let kind = Some(Kind::Parallel(parallel));
        Model { layers: vec![Layer { name: "add".to_owned(), kind }] }
    }

    #[test]
    fn a_good_file_gets_its_digest() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), |_| {});
        let files = inspected(&path).unwrap();
        let mut completed = model(&path, 0.1);
        files.complete(&mut completed, &[]).unwrap();
        let text = format!("{completed:?}");
        let digest = hexadecimal(&Sha256::digest(fs::read(&path).unwrap()));
        assert!(text.contains(&digest), "{text}");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let absent = inspected("no/such.file").unwrap_err();
        assert!(absent.is_absent && absent.to_string().contains("no/such.file"), "{absent}");

        let path = file(folder.path(), |_| {});
        let whole = fs::read(&path).unwrap();
        for end in [0, 5, 1000, whole.len() - 1] {
            fs::write(&path, &whole[..end]).unwrap();
            let error = inspected(&path).unwrap_err();
            assert!(error.problem.starts_with("is cut short, or no safetensors file"), "{error}");
        }
        let problem = |change: &dyn Fn(&mut Tensors), alpha| {
            let path = file(folder.path(), change);
            let files = inspected(&path).unwrap();
            let message = files.complete(&mut model(&path, alpha), &[]).unwrap_err().message;
            message.strip_prefix(&format!("the weights file `{path}` ")).unwrap().to_owned()
        };
        assert_eq!(
            problem(&|_| {}, 1.0),
            "is of another model: its tensor `features.0.0.weight` has the shape [8, 3, 3, 3], \
             where `alpha` 1 needs [32, 3, 3, 3]"
        );
        assert_eq!(
            problem(&|tensors| drop(tensors.remove(7)), 0.1),
            "is of another model: it has no tensor `features.1.conv.0.1.bias` of floating-point numbers"
        );
        assert_eq!(
            problem(&|tensors| tensors.push(("head.weight".to_owned(), vec![1])), 0.1),
            "is of another model: it has a tensor `head.weight`"
        );
    }
}
