#include <fulmar/security/secret.hpp>

#include <openssl/crypto.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

namespace fulmar::security {

namespace {
constexpr std::size_t private_heap_bytes = 256 * 1024;  // of OpenSSL: 4,000 exchanges at a time

std::size_t whole_pages(std::size_t bytes) noexcept {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return (bytes + page - 1) / page * page;
}
}  // namespace

secret::secret(std::size_t bytes) noexcept {
    if (bytes == 0) return;
    const std::size_t whole = whole_pages(bytes);
    void* const at =
        ::mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return;
    ::madvise(at, whole, MADV_DONTDUMP);
    ::madvise(at, whole, MADV_WIPEONFORK);
    data_ = static_cast<std::byte*>(at);
    size_ = bytes;
}

secret::~secret() {
    if (data_ == nullptr) return;
    OPENSSL_cleanse(data_, size_);
    ::munmap(data_, whole_pages(size_));
}

secret secret::of(std::span<const std::byte> bytes) noexcept {
    secret made(bytes.size());
    if (!made.empty()) std::memcpy(made.data_, bytes.data(), bytes.size());
    return made;
}

secret secret::of_text(std::string_view text) noexcept {
    return of(std::as_bytes(std::span(text.data(), text.size())));
}

void secret::shrink(std::size_t to) noexcept {
    if (to >= size_) return;
    if (to == 0 || whole_pages(to) != whole_pages(size_)) {
        *this = of(reveal().first(to));
        return;
    }
    OPENSSL_cleanse(data_ + to, size_ - to);
    size_ = to;
}

void wipe(std::span<std::byte> bytes) noexcept { OPENSSL_cleanse(bytes.data(), bytes.size()); }

bool equal(std::span<const std::byte> a, std::span<const std::byte> b) noexcept {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void keep_private_numbers_out_of_dumps() noexcept {
    CRYPTO_secure_malloc_init(private_heap_bytes, 64);
}

}  // namespace fulmar::security
