from palate.positions.ranges import FeedPartition, Range

A = FeedPartition("t", 0, 0)


def test_log_names_its_epoch_once_there_was_another() -> None:
    assert str(FeedPartition("orders", 0, 2)) == "orders[2]"
    assert str(FeedPartition("orders", 1, 2)) == "orders[2] epoch 1"


def test_range_is_shown_with_the_last_offset_taken() -> None:
    assert str(Range(A, 5, 9)) == "t[0] 5..8"
    assert len(Range(A, 5, 9)) == 4
