// Whether this build has libnbd; where it has none, what it says in place of src/backend/nbd.
#include <fulmar/backend/nbd_device.hpp>

namespace fulmar::backend {

#ifdef FULMAR_NBD

bool knows_nbd() noexcept { return true; }

#else

bool knows_nbd() noexcept { return false; }

result<std::unique_ptr<device>> make_nbd_device(const nbd_options&, const nbd_environment&) {
    return fail(errc::not_supported, "this fulmard was built without libnbd", "/type",
                "build it where libnbd-dev is installed");
}

#endif

}  // namespace fulmar::backend
