// Which sanitizer this build has, asked in one place: g++ and clang say it in different ways.
#pragma once

#ifdef __has_feature
#define FULMAR_CLANG_HAS(feature) __has_feature(feature)
#else
#define FULMAR_CLANG_HAS(feature) 0
#endif

/// 1 in a build with the address sanitizer, else 0.
#if defined(__SANITIZE_ADDRESS__) || FULMAR_CLANG_HAS(address_sanitizer)
#define FULMAR_ASAN 1
#else
#define FULMAR_ASAN 0
#endif

/// 1 in a build with the thread sanitizer, else 0.
#if defined(__SANITIZE_THREAD__) || FULMAR_CLANG_HAS(thread_sanitizer)
#define FULMAR_TSAN 1
#else
#define FULMAR_TSAN 0
#endif

#undef FULMAR_CLANG_HAS
