#include "file_status.hpp"

#include <cerrno>

namespace fulmar::backend {

namespace sc = nvme::sc;

nvme::status status_of(int error, io_kind kind) noexcept {
    switch (error) {
        case ECANCELED: return sc::aborted_by_request;
        // The disk is full: trying again at once cannot help, and Linux turns this status into
        // ENOSPC.
        case ENOSPC:
        case EDQUOT:
        case EFBIG: return sc::capacity_exceeded.no_retry();
        // The machine is short of something for the moment.
        case EAGAIN:
        case EINTR:
        case ENOMEM:
        case EBUSY: return sc::command_interrupted;
        // Our own mistake. Not EINVAL: that is what storage says to what it cannot do.
        case EBADF:
        case EFAULT: return sc::internal_error.no_retry();
        default: break;
    }
    if (means_gone(error)) return device_gone;
    // EIO and its relatives: the layers below have tried again long enough.
    switch (kind) {
        case io_kind::read:
        case io_kind::compare:
        case io_kind::verify: return sc::unrecovered_read_error.no_retry();
        case io_kind::write:
        case io_kind::copy:
        case io_kind::write_uncorrectable:
        case io_kind::write_zeroes:
        case io_kind::deallocate:
        case io_kind::flush: return sc::write_fault.no_retry();
    }
    return sc::internal_error.no_retry();
}

bool means_gone(int error) noexcept {
    return error == ENODEV || error == ENXIO || error == ESTALE || error == ENOMEDIUM;
}

}  // namespace fulmar::backend
