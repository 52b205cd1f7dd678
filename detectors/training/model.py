"""The network: a BERT encoder, the mean over the tokens of the line itself, one linear layer to all labels."""

import copy
from typing import Any

import torch
from torch import nn
from transformers import BertConfig, BertModel, BertPreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from detectors.taxonomy import ACTS, LABELS


class PitchModel(BertPreTrainedModel):
    """A multi-label line classifier over `LABELS`; `from_pretrained` reads the folder that `export` writes."""

    config_class = BertConfig

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.bert = BertModel(config, add_pooling_layer=False)
        # The encoder's vectors lie close together around a common centre. Without taking it away, dropout would
        # drown what tells them apart.
        self.register_buffer("centre", torch.zeros(config.hidden_size))
        self.register_buffer("spread", torch.ones(config.hidden_size))
        self.dropout = nn.Dropout(0.1)
        self.classifier = nn.Linear(config.hidden_size, len(LABELS))
        self.post_init()

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        token_type_ids: torch.Tensor,
        **_: Any,
    ) -> SequenceClassifierOutput:
        """Return logits of shape (lines, labels) for ids, mask and types of shape (lines, tokens)."""
        mean = self.features(input_ids, attention_mask, token_type_ids)
        return SequenceClassifierOutput(logits=self.head(mean))

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Return logits of shape (lines, labels) for the encoder's features."""
        return self.classifier(self.dropout((features - self.centre) / self.spread))

    def features(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean over the tokens of type 1, shape (lines, width)."""
        hidden = self.bert(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state
        return own_mean(hidden, attention_mask, token_type_ids)


def own_mean(hidden: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor) -> torch.Tensor:
    """Return the mean of `hidden` (lines, tokens, width) over the tokens of type 1, shape (lines, width)."""
    own = (token_type_ids * attention_mask).unsqueeze(-1).to(hidden.dtype)
    return (hidden * own).sum(1) / own.sum(1)


def loss(logits: torch.Tensor, acts: torch.Tensor, flags: torch.Tensor, flag_weight: float = 1.0) -> torch.Tensor:
    """Cross entropy over the acts plus binary cross entropy over offers and cues.

    Shapes: logits (lines, labels), acts (lines,) of indices, flags (lines, offers + cues) of 0 and 1.
    """
    count = len(ACTS)
    act_loss = nn.functional.cross_entropy(logits[:, :count], acts)
    # Summed over labels: most are 0, and a mean over them would leave nothing to learn from.
    flag_loss = nn.functional.binary_cross_entropy_with_logits(logits[:, count:], flags, reduction="none")
    return act_loss + flag_weight * flag_loss.sum(1).mean()


def distillation_loss(logits: torch.Tensor, teacher: torch.Tensor, temperature: float = 2.0) -> torch.Tensor:
    """How far the student's `logits` are from the teacher's, both of shape (lines, labels) (Hinton et al., 2015).

    The acts are compared softened by `temperature`, so that what the teacher thought second is learnt as well; offers
    and cues as probabilities of their own.
    """
    count = len(ACTS)
    acts = nn.functional.kl_div(
        torch.log_softmax(logits[:, :count] / temperature, dim=1),
        torch.softmax(teacher[:, :count] / temperature, dim=1),
        reduction="batchmean",
    )
    flags = nn.functional.binary_cross_entropy_with_logits(
        logits[:, count:], torch.sigmoid(teacher[:, count:]), reduction="none"
    )
    return acts * temperature**2 + flags.sum(1).mean()


def student_of(teacher: PitchModel, layers: int) -> PitchModel:
    """Return a copy of `teacher` that keeps `layers` of its layers, evenly spread and with the last
    (Sanh et al., 2019, "DistilBERT"). Raises ValueError when `layers` does not divide the teacher's."""
    whole = teacher.config.num_hidden_layers
    if whole % layers:
        raise ValueError(f"layers must divide {whole}, not {layers}")
    student = copy.deepcopy(teacher)
    step = whole // layers
    student.bert.encoder.layer = nn.ModuleList(list(student.bert.encoder.layer)[step - 1 :: step])
    student.config.num_hidden_layers = layers
    return student
