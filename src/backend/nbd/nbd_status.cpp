#include "nbd_status.hpp"

#include "file/file_status.hpp"

#include <cerrno>

namespace fulmar::backend::nbd {

bool means_server_gone(int error) noexcept {
    switch (error) {
        case ENOTCONN:
        case ESHUTDOWN:  // what a server says that is about to end
        case ECONNRESET:
        case ECONNABORTED:
        case EPIPE: return true;
        default: return means_gone(error);
    }
}

bool wrote_nothing(int error) noexcept {
    return error == EPERM || error == EROFS || error == EINVAL || error == ENOTSUP ||
           error == EOVERFLOW || error == ENOMEM || error == ENOSPC || error == EDQUOT;
}

nvme::status nbd_status(int error, io_kind kind) noexcept {
    if (means_server_gone(error)) return device_gone;
    if (error == EPERM || error == EROFS) return nvme::sc::namespace_write_protected.no_retry();
    return status_of(error, kind);
}

}  // namespace fulmar::backend::nbd
