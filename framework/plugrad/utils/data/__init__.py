"""Data sets, the order in which they are read, and batches."""

from plugrad.utils.data.collate import default_collate as default_collate
from plugrad.utils.data.collate import default_convert as default_convert
from plugrad.utils.data.dataset import ChainDataset as ChainDataset
from plugrad.utils.data.dataset import ConcatDataset as ConcatDataset
from plugrad.utils.data.dataset import Dataset as Dataset
from plugrad.utils.data.dataset import IterableDataset as IterableDataset
from plugrad.utils.data.dataset import StackDataset as StackDataset
from plugrad.utils.data.dataset import Subset as Subset
from plugrad.utils.data.dataset import TensorDataset as TensorDataset
from plugrad.utils.data.dataset import random_split as random_split
from plugrad.utils.data.distributed import DistributedSampler as DistributedSampler
from plugrad.utils.data.loader import DataLoader as DataLoader
from plugrad.utils.data.sampler import BatchSampler as BatchSampler
from plugrad.utils.data.sampler import RandomSampler as RandomSampler
from plugrad.utils.data.sampler import Sampler as Sampler
from plugrad.utils.data.sampler import SequentialSampler as SequentialSampler
from plugrad.utils.data.sampler import SubsetRandomSampler as SubsetRandomSampler
from plugrad.utils.data.sampler import WeightedRandomSampler as WeightedRandomSampler
from plugrad.utils.data.worker import WorkerInfo as WorkerInfo
from plugrad.utils.data.worker import get_worker_info as get_worker_info
